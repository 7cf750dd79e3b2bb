//! What the broker answers, and what a refusal means.

use axum::body::Bytes;
use serde_json::Value;

use super::{Endpoint, Request};
use crate::cli::exit;
use crate::cli::failure::Failure;

/// An answer that is complete.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Answer {
    /// The status, such as 204.
    pub(in crate::cli) status: u16,
    /// The body, as it came.
    pub(in crate::cli) body: Bytes,
}

impl Answer {
    pub(in crate::cli) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Its body; `null` when there is none.
    pub(in crate::cli) fn json(&self) -> Result<Value, Failure> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            Failure::new(exit::PROTOCOL, "what answers there is no broker's HTTP API")
                .because(format!("its answer is not JSON ({error})"))
                .helped_by("The HTTP API is usually at port 15672.")
        })
    }

    /// Whether it says what a refusal of the HTTP API says.
    pub(super) fn is_of_api(&self) -> bool {
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        body.is_some_and(|body| body.get("error").is_some() || body.get("reason").is_some())
    }

    /// Why the broker does not do it, in its words.
    pub(in crate::cli) fn reason(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let reason = body.get("reason").or_else(|| body.get("error"))?;
        let reason = reason.as_str().map_or_else(|| reason.to_string(), str::to_owned);
        Some(in_words(&reason))
    }

    /// A refusal as a failure.
    pub(super) fn refusal(
        &self,
        request: &Request,
        endpoint: Option<&Endpoint>,
        user: Option<&str>,
    ) -> Failure {
        let reason = self.reason();
        let at = endpoint.map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
        let failure = match (self.status, user) {
            (401, None) if self.is_unauthenticated() => Failure::new(
                exit::NO_PERMISSION,
                format!("the broker{at} wants to know who asks"),
            )
            .helped_by(
                "Only the user that the broker runs as, and root, are known without a password: give --user NAME \
                 and --password-file FILE.",
            ),
            (401, Some(user)) if self.is_unauthenticated() => {
                Failure::new(exit::NO_PERMISSION, format!("the broker{at} does not let user '{user}' in"))
                    .because(reason.unwrap_or_else(|| "the login failed".to_owned()))
                    .helped_by(
                        "Check the name and the password; a user also needs a tag, such as 'management' or \
                         'administrator', and guest may come from the broker's own machine only.",
                    )
            }
            (401 | 403, _) => {
                let who = user.map_or_else(|| "you".to_owned(), |user| format!("user '{user}'"));
                Failure::new(exit::NO_PERMISSION, format!("{who} may not do that"))
                    .because(reason.unwrap_or_else(|| format!("the broker answered {}", self.status)))
            }
            (404, _) => match reason.filter(|reason| reason != "Not Found") {
                Some(reason) => Failure::new(exit::NO_INPUT, "not found").because(reason),
                None => Failure::new(exit::NO_INPUT, "there is no such thing").because(request.place()),
            },
            (405, _) => Failure::new(exit::PROTOCOL, format!("the broker{at} cannot do that"))
                .because(format!("it does not serve {}", request.shown()))
                .helped_by("Its version may be another than that of this program: see 'leveret status'."),
            (400..500, _) => Failure::data("the broker refused it")
                .because(reason.unwrap_or_else(|| format!("it answered {}", self.status))),
            (503, _) => Failure::new(exit::UNAVAILABLE, "the broker cannot do that now")
                .because(reason.unwrap_or_else(|| "it answered 503".to_owned())),
            _ => Failure::new(exit::SOFTWARE, "the broker failed")
                .because(reason.unwrap_or_else(|| format!("it answered {}", self.status)))
                .helped_by("Its log says more."),
        };
        failure.with_status(self.status)
    }

    /// Whether nobody was found to ask, rather than somebody who may not.
    fn is_unauthenticated(&self) -> bool {
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        body.is_none_or(|body| body.get("error").and_then(Value::as_str) != Some("not_authorised"))
    }
}

/// On one line, and in words where the HTTP API has a name for it.
fn in_words(reason: &str) -> String {
    match reason {
        "Not_Authorized" => "the login failed".to_owned(),
        "vhost_not_found" => "there is no such virtual host".to_owned(),
        "vhost_or_user_not_found" => "there is no such user or virtual host".to_owned(),
        reason => reason.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}
