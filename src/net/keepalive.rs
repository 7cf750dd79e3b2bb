//! Noticing that a peer is gone when it does not want heartbeats.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{SockRef, TcpKeepalive};

const IDLE: Duration = Duration::from_mins(1);
const INTERVAL: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;
/// How long sent bytes may stay unacknowledged.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_mins(2);

/// Lets the operating system end a connection whose peer has vanished: after two minutes of silence to its probes, or
/// of bytes that nobody acknowledges.
pub fn watch_without_heartbeats(socket: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(IDLE).with_interval(INTERVAL).with_retries(PROBES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    Ok(())
}

/// Whether the peer has closed its side, or the connection is broken, whatever there is still to be read.
pub fn is_hung_up(socket: &impl AsFd) -> bool {
    #[cfg(target_os = "linux")]
    let asked = PollFlags::RDHUP;
    #[cfg(not(target_os = "linux"))]
    let asked = PollFlags::empty();
    let mut polled = [PollFd::new(socket, asked)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let signs = asked | PollFlags::HUP | PollFlags::ERR;
    matches!(poll(&mut polled, Some(&now)), Ok(1..))
        && polled.iter().any(|one| one.revents().intersects(signs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_peer_that_closes_is_noticed_behind_what_it_sent() {
        use std::io::Write;

        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        peer.write_all(b"unread").unwrap();
        assert!(!is_hung_up(&stream));
        drop(peer);
        let end = std::time::Instant::now() + Duration::from_mins(1);
        while !is_hung_up(&stream) {
            assert!(std::time::Instant::now() < end, "never noticed");
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_operating_system_probes_a_peer_without_heartbeats() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        watch_without_heartbeats(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), IDLE);
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_MAX));
    }
}
