//! What a service manager is told of this process: systemd's protocol, datagrams to a socket that the environment names.
//!
//! Without such a variable nothing is told. Nobody waits for an answer, and what cannot be sent is lost.

use std::ffi::OsStr;
use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::LazyLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The variables of the protocol.
const SOCKET: &str = "NOTIFY_SOCKET";
const WATCHDOG_INTERVAL: &str = "WATCHDOG_USEC";
const WATCHDOG_PROCESS: &str = "WATCHDOG_PID";

/// How much longer than now a start that tells how far it is may take.
const START_EXTENSION: Duration = Duration::from_mins(1);

/// It accepts connections, and has brought back all that it keeps.
pub fn ready() {
    tell("READY=1\nSTATUS=serving");
}

/// It is on its way to be ready, and this far. Who is told waits on.
pub fn starting(status: &str) {
    let microseconds = START_EXTENSION.as_micros();
    tell(&format!("EXTEND_TIMEOUT_USEC={microseconds}\nSTATUS={}", line(status)));
}

/// It reads its configuration again, until it is [`ready`].
pub fn reloading() {
    let now = clock_gettime(ClockId::Monotonic);
    let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
}

/// It has begun to end.
pub fn stopping() {
    tell("STOPPING=1\nSTATUS=closing connections");
}

/// It is alive.
pub fn alive() {
    tell("WATCHDOG=1");
}

/// How often it is to say that it is alive, if it is: twice as often as it is missed.
pub fn alive_interval() -> Option<Duration> {
    let variable = |name| std::env::var(name).ok();
    interval(variable(WATCHDOG_INTERVAL)?.as_str(), variable(WATCHDOG_PROCESS).as_deref(), std::process::id())
}

fn interval(microseconds: &str, process: Option<&str>, own: u32) -> Option<Duration> {
    let is_meant = process.is_none_or(|process| process.parse() == Ok(own));
    let microseconds =
        microseconds.parse::<u64>().ok().filter(|microseconds| *microseconds > 1 && is_meant)?;
    Some(Duration::from_micros(microseconds / 2))
}

fn tell(state: &str) {
    static SUPERVISOR: LazyLock<Option<Supervisor>> =
        LazyLock::new(|| Supervisor::at(std::env::var_os(SOCKET).as_deref()?));
    if let Some(supervisor) = &*SUPERVISOR {
        supervisor.tell(state);
    }
}

/// A line break would begin another assignment.
fn line(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().filter(|c| !c.is_control()) {
        // A string takes all that is written to it.
        let _ = shown.write_char(c);
    }
    shown
}

/// A service manager's socket.
struct Supervisor {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Supervisor {
    /// A path, or a name that begins with `@` and is none.
    fn at(name: &OsStr) -> Option<Self> {
        let address = match name.as_bytes().strip_prefix(b"@") {
            #[cfg(target_os = "linux")]
            Some(abstract_name) => {
                use std::os::linux::net::SocketAddrExt;
                SocketAddr::from_abstract_name(abstract_name).ok()?
            }
            #[cfg(not(target_os = "linux"))]
            Some(_) => return None,
            None => SocketAddr::from_pathname(name).ok()?,
        };
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, address })
    }

    fn tell(&self, state: &str) {
        let _ = self.socket.send_to_addr(state.as_bytes(), &self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(to: &UnixDatagram) -> String {
        let mut buffer = [0; 1024];
        to.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let length = to.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_manager_is_told_by_path_and_by_abstract_name() {
        let path = std::env::temp_dir().join(format!("leveret-supervisor-{}", std::process::id()));
        let by_path = UnixDatagram::bind(&path).unwrap();
        Supervisor::at(path.as_os_str()).unwrap().tell("READY=1");
        assert_eq!(told(&by_path), "READY=1");
        std::fs::remove_file(&path).unwrap();
        Supervisor::at(path.as_os_str()).unwrap().tell("to nobody");
        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt;
            let name = format!("leveret-supervisor-{}", std::process::id());
            let address = SocketAddr::from_abstract_name(&name).unwrap();
            let by_name = UnixDatagram::bind_addr(&address).unwrap();
            Supervisor::at(format!("@{name}").as_ref()).unwrap().tell("STOPPING=1");
            assert_eq!(told(&by_name), "STOPPING=1");
        }
    }

    #[test]
    fn it_says_that_it_is_alive_if_it_is_asked_to() {
        for (microseconds, process, expected) in [
            ("2000000", None, Some(1000)),
            ("2000000", Some("7"), Some(1000)),
            ("2000000", Some("8"), None),
            ("0", None, None),
            ("soon", None, None),
        ] {
            assert_eq!(
                interval(microseconds, process, 7),
                expected.map(Duration::from_millis),
                "{microseconds}"
            );
        }
        assert_eq!(line("45 %\nREADY=1\u{1b}"), "45 %READY=1");
    }
}
