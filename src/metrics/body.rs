//! A scrape as the body of an answer: made slice by slice, compressed where the client can read that.

use std::io::Write;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::scrape::Scrape;

/// Answers that are being made at a time. A large one has some hundred bytes a queue in memory until it is sent.
const AT_A_TIME: usize = 4;
/// How long a client may take nothing before its answer is cut short, so that others get theirs.
const PATIENCE: Duration = Duration::from_secs(30);
/// Slices that are ready and not taken.
const AHEAD: usize = 2;

static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_A_TIME)));

/// Whether a client can read what is compressed with gzip.
pub(super) fn takes_gzip(head: &HeaderMap) -> bool {
    let accepted = head.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut any = None;
    for part in accepted.flat_map(|value| value.split(',')) {
        let (coding, parameters) = part.split_once(';').unwrap_or((part, ""));
        let weight = parameters.trim().strip_prefix("q=").map(str::trim);
        let is_taken = weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0));
        match coding.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return is_taken,
            "*" => any = Some(is_taken),
            _ => {}
        }
    }
    any.unwrap_or(false)
}

/// What makes bytes of slices of text.
enum Coding {
    Plain,
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Coding {
    fn new(gzip: bool) -> Self {
        if gzip { Self::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::fast()))) } else { Self::Plain }
    }

    fn encode(&mut self, text: String) -> std::io::Result<Bytes> {
        match self {
            Self::Plain => Ok(text.into()),
            Self::Gzip(encoder) => {
                encoder.write_all(text.as_bytes())?;
                Ok(std::mem::take(encoder.get_mut()).into())
            }
        }
    }

    fn end(self) -> std::io::Result<Bytes> {
        match self {
            Self::Plain => Ok(Bytes::new()),
            Self::Gzip(encoder) => encoder.finish().map(Into::into),
        }
    }
}

/// A step of a body.
enum Piece {
    Bytes(Bytes),
    End,
}

/// The body, made while it is sent.
pub(super) fn body(scrape: Scrape, gzip: bool) -> Body {
    let (pieces, taken) = mpsc::channel(AHEAD);
    tokio::spawn(make(scrape, Coding::new(gzip), pieces));
    Body::from_stream(stream::unfold(Some(taken), |taken| async move {
        let mut taken = taken?;
        match taken.recv().await {
            Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(taken))),
            Some(Piece::End) => None,
            // The client is to see that it has not got all.
            None => Some((Err(std::io::Error::other("the answer was given up")), None)),
        }
    }))
}

async fn make(mut scrape: Scrape, mut coding: Coding, pieces: mpsc::Sender<Piece>) {
    // Nobody closes it.
    let Ok(_place) = PLACES.acquire().await else { return };
    loop {
        let made = spawn_blocking(move || {
            let bytes = scrape.slice().map(|text| coding.encode(text));
            (scrape, coding, bytes)
        });
        // A panic there was logged.
        let Ok((rest, encoder, bytes)) = made.await else { return };
        (scrape, coding) = (rest, encoder);
        let Some(bytes) = bytes else { break };
        let Ok(bytes) = bytes else { return };
        if !bytes.is_empty() && !send(&pieces, Piece::Bytes(bytes)).await {
            return;
        }
    }
    if let Ok(bytes) = coding.end()
        && (bytes.is_empty() || send(&pieces, Piece::Bytes(bytes)).await)
    {
        send(&pieces, Piece::End).await;
    }
}

async fn send(pieces: &mpsc::Sender<Piece>, piece: Piece) -> bool {
    matches!(timeout(PATIENCE, pieces.send(piece)).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_accept_it() {
        for (accepted, expected) in [
            (&["gzip"][..], true),
            (&["deflate, GZIP;q=0.5"][..], true),
            (&["deflate", "gzip"][..], true),
            (&["gzip;q=0"][..], false),
            (&["gzip; q=0.0, *"][..], false),
            (&["*"][..], true),
            (&["*;q=0"][..], false),
            (&["identity, br"][..], false),
            (&[""][..], false),
            (&[][..], false),
        ] {
            let head: HeaderMap =
                accepted.iter().map(|value| (ACCEPT_ENCODING, value.parse().unwrap())).collect();
            assert_eq!(takes_gzip(&head), expected, "{accepted:?}");
        }
    }
}
