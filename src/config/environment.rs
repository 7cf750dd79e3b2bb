//! Variables: `LEVERET_` and a key's name, and those of RabbitMQ that are in use.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use super::given::{Given, Mistake, Origin};
use super::key::{Arity, Key};
use super::keys::keys;
use super::rabbitmq_variables;

/// Of ours, those that are no keys.
pub(super) const CONFIG: &str = "LEVERET_CONFIG";

/// What tells the command line which broker is meant, and the server nothing.
const OF_COMMAND_LINE: [&str; 2] = ["LEVERET_URL", "LEVERET_CONTEXT"];
/// A variable with this end names a file that holds the value.
const IN_FILE: &str = "_FILE";

/// A snapshot of the environment. Variables that are empty are taken as not set: compose files pass them so.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
    }

    /// A variable that is set and is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().filter(|value| !value.is_empty())
    }

    /// What the environment says of our keys, RabbitMQ's variables before our own, so that ours hold; and what is to be
    /// remarked.
    pub(super) fn given(&self) -> (Vec<Given>, Vec<Mistake>, Vec<String>) {
        let (mut given, mut mistakes, mut remarks) = self.of_rabbitmq();
        for key in keys() {
            match self.by_its_variables_there(key) {
                Ok(one) => given.extend(one),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        for key in keys() {
            match self.of(key) {
                Ok(one) => given.extend(one),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        remarks.extend(self.remarks());
        (given, mistakes, remarks)
    }

    fn of(&self, key: &'static Key) -> Result<Option<Given>, Mistake> {
        let name = key.variable();
        let origin = Origin::Variable(name.to_owned());
        if key.field.is_secret()
            && let Some(given) = self.in_file(key, name)?
        {
            return Ok(Some(given));
        }
        match self.0.get(name).map(|value| value.to_str()) {
            None | Some(Some("")) => Ok(None),
            Some(None) => Err(Mistake::new(origin, Some(key.name), "expected text in UTF-8")),
            Some(Some(text)) => Ok(Some(Given { key, texts: split(key, text), origin })),
        }
    }

    /// What a key's variables of RabbitMQ say, the first that is set.
    fn by_its_variables_there(&self, key: &'static Key) -> Result<Option<Given>, Mistake> {
        for name in key.variables {
            if let Some(given) = self.in_file(key, name)? {
                return Ok(Some(given));
            }
            if let Some(text) = self.get(name) {
                let origin = Origin::Variable((*name).to_owned());
                return Ok(Some(Given { key, texts: split(key, text), origin }));
            }
        }
        Ok(None)
    }

    /// The content of the file that `NAME_FILE` names, if it is set.
    fn in_file(&self, key: &'static Key, name: &str) -> Result<Option<Given>, Mistake> {
        let variable = format!("{name}{IN_FILE}");
        let Some(path) = self.get(&variable) else { return Ok(None) };
        let origin = Origin::Variable(variable);
        if self.get(name).is_some() {
            let reason = format!("{name} is set as well: one of them is enough");
            return Err(Mistake::new(origin, Some(key.name), reason));
        }
        match content(Path::new(path)) {
            Ok(text) => Ok(Some(Given { key, texts: split(key, &text), origin })),
            Err(reason) => Err(Mistake::new(origin, Some(key.name), reason)),
        }
    }

    /// Variables that look as if they were meant for us and say nothing.
    fn remarks(&self) -> Vec<String> {
        let names = self.0.keys().map(String::as_str);
        let ours: Vec<String> = names
            .clone()
            .filter(|name| {
                name.starts_with("LEVERET_") && !is_ours(name) && !is_of_kubernetes(name, "LEVERET")
            })
            .map(|name| {
                let key = name.trim_start_matches("LEVERET_").to_ascii_lowercase();
                match super::nearest::nearest_variable(&key) {
                    Some(near) => format!("{name} (did you mean {near}?)"),
                    None => name.to_owned(),
                }
            })
            .collect();
        let theirs: Vec<&str> = names
            .filter(|name| name.starts_with("RABBITMQ_") && !is_of_rabbitmq(name))
            .filter(|name| !is_of_kubernetes(name, "RABBITMQ"))
            .collect();
        let mut remarks = Vec::new();
        if !ours.is_empty() {
            remarks.push(format!("variables that are no keys: {}", ours.join(", ")));
        }
        if !theirs.is_empty() {
            remarks.push(format!("variables of RabbitMQ that have no meaning here: {}", theirs.join(", ")));
        }
        remarks
    }
}

/// There are secrets in it.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(String, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, OsString)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// Whether it is a key's, or one of those that are none and have a meaning.
fn is_ours(name: &str) -> bool {
    name == CONFIG
        || OF_COMMAND_LINE.contains(&name)
        || keys().any(|key| {
            key.variable() == name || (key.field.is_secret() && name.strip_suffix(IN_FILE) == Some(key.variable()))
        })
        // What a build is told, and Cargo tells to what it runs.
        || ["LEVERET_COMMIT", "LEVERET_BUILT_FROM"].contains(&name)
        // What tests and benches are told.
        || ["LEVERET_TEST_", "LEVERET_CRASH_", "LEVERET_CORRUPTION"].iter().any(|prefix| name.starts_with(prefix))
}

fn is_of_rabbitmq(name: &str) -> bool {
    let plain = name.strip_suffix(IN_FILE).unwrap_or(name);
    rabbitmq_variables::is_known(name)
        || keys().any(|key| key.variables.contains(&plain) || key.variables.contains(&name))
}

/// Kubernetes describes a service that is called like us in variables of that name.
fn is_of_kubernetes(name: &str, service: &str) -> bool {
    let rest = name.strip_prefix(service).unwrap_or(name);
    let of_port = rest.strip_prefix("_PORT").is_some_and(|rest| {
        let rest = rest.trim_start_matches('_');
        rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit())
    });
    of_port || rest == "_SERVICE_HOST" || rest.starts_with("_SERVICE_PORT")
}

/// The values of a variable: those of a list have commas between them.
pub(super) fn split(key: &Key, text: &str) -> Vec<String> {
    match key.field.arity() {
        Arity::List => {
            text.split(',').map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
        }
        Arity::One | Arity::Switch => vec![text.to_owned()],
    }
}

/// The content of a file, without the line end that editors put behind it.
fn content(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(text
        .strip_suffix('\n')
        .map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text))
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::temporary::Temporary;

    fn read(variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>, Vec<String>) {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(*value)));
        let (given, mistakes, remarks) = variables.collect::<Environment>().given();
        let given =
            given.iter().map(|one| format!("{} {}={}", one.origin, one.key.name, one.texts.join("|")));
        (given.collect(), mistakes.iter().map(ToString::to_string).collect(), remarks)
    }

    #[test]
    fn every_key_has_a_variable() {
        for key in keys() {
            let (given, mistakes, remarks) = read(&[(key.variable(), "x, y")]);
            let expected = if key.field.arity() == Arity::List { "x|y" } else { "x, y" };
            assert_eq!(given, [format!("{} {}={expected}", key.variable(), key.name)]);
            assert_eq!((mistakes.len(), remarks.len()), (0, 0));
        }
    }

    #[test]
    fn the_variables_of_rabbitmq_that_are_in_use_are_read() {
        for (variables, expected) in [
            (&[("RABBITMQ_NODE_PORT", "5673")][..], &["RABBITMQ_NODE_PORT listeners.tcp=5673"][..]),
            (
                &[("RABBITMQ_NODE_PORT", "5673"), ("RABBITMQ_NODE_IP_ADDRESS", "::1")],
                &["RABBITMQ_NODE_PORT listeners.tcp=[::1]:5673"],
            ),
            (
                &[("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")],
                &["RABBITMQ_NODE_IP_ADDRESS listeners.tcp=127.0.0.1:5672"],
            ),
            (&[("RABBITMQ_NODE_PORT", "")], &[]),
            (&[("RABBITMQ_NODE_PORT_NUMBER", "5674")], &["RABBITMQ_NODE_PORT_NUMBER listeners.tcp=5674"]),
            (&[("RABBITMQ_LOGS", "-")], &["RABBITMQ_LOGS log.console.enabled=true"]),
            (&[("RABBITMQ_MNESIA_BASE", "/x")], &["RABBITMQ_MNESIA_BASE data_dir=/x/leveret"]),
            (
                &[("RABBITMQ_MNESIA_BASE", "/x"), ("RABBITMQ_MNESIA_DIR", "/x/y/")],
                &["RABBITMQ_MNESIA_DIR data_dir=/x/y/leveret"],
            ),
            (&[("RABBITMQ_NODENAME", "rabbit@h")], &["RABBITMQ_NODENAME node_name=rabbit@h"]),
            (&[("RABBITMQ_PID_FILE", "/x/pid")], &["RABBITMQ_PID_FILE pid_file=/x/pid"]),
            (
                &[("RABBITMQ_VM_MEMORY_HIGH_WATERMARK", "40%"), ("RABBITMQ_DISK_FREE_ABSOLUTE_LIMIT", "2GB")],
                &[
                    "RABBITMQ_VM_MEMORY_HIGH_WATERMARK memory_limit=40%",
                    "RABBITMQ_DISK_FREE_ABSOLUTE_LIMIT disk_free_limit=2GB",
                ],
            ),
            (
                &[("RABBITMQ_USERNAME", "u"), ("RABBITMQ_PASSWORD", "p"), ("RABBITMQ_VHOST", "v")],
                &[
                    "RABBITMQ_USERNAME default_user=u",
                    "RABBITMQ_PASSWORD default_pass=p",
                    "RABBITMQ_VHOST default_vhost=v",
                ],
            ),
            (
                &[("RABBITMQ_DEFAULT_USER", "u"), ("RABBITMQ_USERNAME", "other")],
                &["RABBITMQ_DEFAULT_USER default_user=u"],
            ),
            (
                &[("RABBITMQ_LOAD_DEFINITIONS", "yes"), ("RABBITMQ_DEFINITIONS_FILE", "/d.json")],
                &["RABBITMQ_LOAD_DEFINITIONS load_definitions=/d.json"],
            ),
            (&[("RABBITMQ_LOAD_DEFINITIONS", "no"), ("RABBITMQ_DEFINITIONS_FILE", "/d.json")], &[]),
            (
                &[("RABBITMQ_LOAD_DEFINITIONS", "True"), ("RABBITMQ_DISK_FREE_RELATIVE_LIMIT", "2")],
                &[
                    "RABBITMQ_LOAD_DEFINITIONS load_definitions=/app/load_definition.json",
                    "RABBITMQ_DISK_FREE_RELATIVE_LIMIT disk_free_limit=2.0",
                ],
            ),
            (
                &[("RABBITMQ_MANAGEMENT_PORT_NUMBER", "1"), ("RABBITMQ_MANAGEMENT_LOAD_DEFINITIONS", "/d")],
                &[
                    "RABBITMQ_MANAGEMENT_LOAD_DEFINITIONS load_definitions=/d",
                    "RABBITMQ_MANAGEMENT_PORT_NUMBER management.listen=1",
                ],
            ),
            (&[("RABBITMQ_ERLANG_COOKIE", "secret"), ("RABBITMQ_ENABLED_PLUGINS", "rabbitmq_mqtt")], &[]),
            (&[("RABBITMQ_LOGS", "/x/y.log")], &["RABBITMQ_LOGS log.file.path=/x/y.log"]),
            (
                &[("RABBITMQ_LOG", "warning,connection=debug,federation=info,+json,+color")],
                &[
                    "RABBITMQ_LOG log.level=warning",
                    "RABBITMQ_LOG log.connection.level=debug",
                    "RABBITMQ_LOG log.format=json",
                ],
            ),
        ] {
            let (given, mistakes, remarks) = read(variables);
            assert_eq!(given, expected, "{variables:?}");
            assert_eq!((mistakes.len(), remarks.len()), (0, 0), "{mistakes:?} {remarks:?}");
        }
        let (_, mistakes, _) = read(&[("RABBITMQ_LOG", "loud")]);
        assert!(mistakes[0].starts_with("RABBITMQ_LOG: expected debug, info"), "{mistakes:?}");
    }

    #[test]
    fn a_certificate_in_the_variables_of_rabbitmqs_image_has_tls_spoken() {
        for (variables, expected) in [
            (
                &[("RABBITMQ_SSL_CERTFILE", "/c"), ("RABBITMQ_SSL_KEYFILE", "/k")][..],
                &[
                    "RABBITMQ_SSL_CERTFILE listeners.tls=5671",
                    "RABBITMQ_SSL_CERTFILE listeners.tcp=",
                    "RABBITMQ_SSL_CERTFILE tls.certfile=/c",
                    "RABBITMQ_SSL_KEYFILE tls.keyfile=/k",
                ][..],
            ),
            (
                &[
                    ("RABBITMQ_SSL_CACERTFILE", "/a"),
                    ("RABBITMQ_SSL_CERTFILE", "/c"),
                    ("RABBITMQ_SSL_VERIFY", "verify_none"),
                    ("RABBITMQ_NODE_PORT", "5672"),
                ],
                &[
                    "RABBITMQ_NODE_PORT listeners.tcp=5672",
                    "RABBITMQ_SSL_CERTFILE listeners.tls=5671",
                    "RABBITMQ_SSL_CACERTFILE tls.verify=verify_peer",
                    "RABBITMQ_SSL_CACERTFILE tls.fail_if_no_peer_cert=true",
                    "RABBITMQ_SSL_CACERTFILE tls.fail_if_no_peer_cert=false",
                    "RABBITMQ_SSL_CACERTFILE tls.cacertfile=/a",
                    "RABBITMQ_SSL_CERTFILE tls.certfile=/c",
                    "RABBITMQ_SSL_VERIFY tls.verify=verify_none",
                ],
            ),
            (
                &[
                    ("RABBITMQ_MANAGEMENT_SSL_CERTFILE", "/c"),
                    ("RABBITMQ_MANAGEMENT_SSL_PORT_NUMBER", "443"),
                    ("RABBITMQ_MANAGEMENT_SSL_DEPTH", "2"),
                ],
                &[
                    "RABBITMQ_MANAGEMENT_SSL_PORT_NUMBER management.tls.listen=443",
                    "RABBITMQ_MANAGEMENT_SSL_CERTFILE management.tls.certfile=/c",
                    "RABBITMQ_MANAGEMENT_SSL_DEPTH management.tls.depth=2",
                ],
            ),
        ] {
            let (given, mistakes, remarks) = read(variables);
            assert_eq!(given, expected, "{variables:?}");
            assert_eq!((mistakes.len(), remarks.len()), (0, 0), "{mistakes:?} {remarks:?}");
        }
    }

    #[test]
    fn arguments_of_erlang_say_what_rabbitmq_conf_could() {
        const NAME: &str = "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS";
        let (given, mistakes, remarks) = read(&[(
            NAME,
            "-rabbit log_levels [{connection,error},{mirroring,info}] disk_free_limit 2147483648 hipe_compile true \
             -kernel net_ticktime 120 -rabbit loopback_users [] -rabbitmq_management load_definitions \"/d.json\"",
        )]);
        let expected = [
            "load_definitions=/d.json",
            "disk_free_limit=2147483648",
            "loopback_users=",
            "log.connection.level=error",
        ];
        let mut given: Vec<_> =
            given.iter().map(|one| one.strip_prefix(NAME).unwrap().trim_start()).collect();
        given.sort_unstable();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!((given.as_slice(), mistakes.len()), (&expected[..], 0));
        assert_eq!(
            remarks,
            [format!("{NAME}: what has no meaning here: hipe_compile log.mirroring.level -kernel")]
        );
        let (_, mistakes, _) = read(&[(NAME, "-rabbit heartbeat often")]);
        assert!(mistakes[0].starts_with(&format!("{NAME}: heartbeat: expected")), "{mistakes:?}");
        let (_, mistakes, _) = read(&[(NAME, "-rabbit heartbeat")]);
        assert_eq!(mistakes, [format!("{NAME}: expected a term of Erlang behind '-rabbit heartbeat'")]);
    }

    #[test]
    fn a_secret_may_stand_in_a_file_that_a_variable_names() {
        let folder = Temporary::new();
        let file = folder.path().join("pass");
        std::fs::write(&file, "a b,c\n").unwrap();
        let path = file.to_str().unwrap();
        for (variables, expected) in [
            (&[("LEVERET_DEFAULT_PASS", "x")][..], "LEVERET_DEFAULT_PASS default_pass=x"),
            (&[("LEVERET_DEFAULT_PASS_FILE", path)], "LEVERET_DEFAULT_PASS_FILE default_pass=a b,c"),
            (&[("RABBITMQ_DEFAULT_PASS_FILE", path)], "RABBITMQ_DEFAULT_PASS_FILE default_pass=a b,c"),
            (&[("RABBITMQ_DEFAULT_USER_FILE", path)], "RABBITMQ_DEFAULT_USER_FILE default_user=a b,c"),
            (&[("RABBITMQ_PASSWORD_FILE", path)], "RABBITMQ_PASSWORD_FILE default_pass=a b,c"),
            (&[("RABBITMQ_DEFAULT_USER", "u")], "RABBITMQ_DEFAULT_USER default_user=u"),
            (&[("RABBITMQ_DEFAULT_VHOST", "v")], "RABBITMQ_DEFAULT_VHOST default_vhost=v"),
            (&[("RABBITMQ_LOG_BASE", "/x")], "RABBITMQ_LOG_BASE log.dir=/x"),
        ] {
            let (given, mistakes, remarks) = read(variables);
            assert_eq!(
                (given, mistakes, remarks),
                (vec![expected.to_owned()], vec![], vec![]),
                "{variables:?}"
            );
        }
        let (_, both, _) = read(&[("LEVERET_DEFAULT_PASS_FILE", path), ("LEVERET_DEFAULT_PASS", "x")]);
        assert_eq!(
            both,
            ["LEVERET_DEFAULT_PASS_FILE: LEVERET_DEFAULT_PASS is set as well: one of them is enough"]
        );
        let (_, missing, _) = read(&[("LEVERET_DEFAULT_PASS_FILE", "/no/such/file")]);
        assert!(
            missing[0].starts_with("LEVERET_DEFAULT_PASS_FILE: /no/such/file cannot be read"),
            "{missing:?}"
        );
        let (_, _, remarks) = read(&[("LEVERET_HEARTBEAT_FILE", path)]);
        assert_eq!(remarks.len(), 1, "a number is no secret");
    }

    #[test]
    fn variables_without_a_meaning_are_listed_but_for_those_of_kubernetes() {
        let (given, mistakes, remarks) = read(&[
            ("LEVERET_HEARTBAET", "1"),
            ("LEVERET_XYZZY", "1"),
            ("LEVERET_PORT", "tcp://10.0.0.1:5672"),
            ("LEVERET_PORT_5672_TCP_ADDR", "10.0.0.1"),
            ("LEVERET_SERVICE_HOST", "10.0.0.1"),
            ("LEVERET_SERVICE_PORT_AMQP", "5672"),
            ("LEVERET_BUILT_FROM", "abcdef123"),
            ("RABBITMQ_USE_LONGNAME", "true"),
            ("RABBITMQ_PORT_5672_TCP", "tcp://10.0.0.1:5672"),
            ("RABBITMQ_DIST_PORT", "25672"),
            ("RABBITMQ_ERLANG_COOKIE", "secret"),
            ("PATH", "/bin"),
        ]);
        assert_eq!((given.len(), mistakes.len()), (0, 0));
        assert_eq!(
            remarks,
            [
                "variables that are no keys: LEVERET_HEARTBAET (did you mean LEVERET_HEARTBEAT?), LEVERET_XYZZY",
                "variables of RabbitMQ that have no meaning here: RABBITMQ_DIST_PORT, RABBITMQ_USE_LONGNAME",
            ]
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStringExt;

        let odd = ("LEVERET_CLUSTER_NAME".to_owned(), OsString::from_vec(vec![0xff]));
        let (_, mistakes, _) = std::iter::once(odd).collect::<Environment>().given();
        assert_eq!(mistakes[0].to_string(), "LEVERET_CLUSTER_NAME: expected text in UTF-8");
    }
}
