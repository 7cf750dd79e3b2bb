//! The names that RabbitMQ's image begins with, so that what is written for it runs ours: `docker-entrypoint.sh`, which runs a
//! command, and `rabbitmq-server`, which serves.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, chownat, openat, statat};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::exit;
use super::serve::{Ear, refuse};

const ENTRYPOINT: &str = "docker-entrypoint.sh";
const SERVER: &str = "rabbitmq-server";
/// RabbitMQ's switch for a server that goes on by itself.
const DETACHED: &str = "-detached";
/// The user that RabbitMQ's packages and images run as. Where there is none, nobody is changed into it.
const USER: &str = "rabbitmq";
const USERS: &str = "/etc/passwd";
/// So many directories may be in one another in a home: each is open while those in it are looked at.
const DEPTH_MAX: usize = 256;
/// How a directory is opened: not behind a link.
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What is meant by one of the names.
pub(super) enum Meant {
    /// Serve, with these arguments of our own program.
    Serve(Vec<OsString>),
    /// The same in a process of its own.
    Detached(Vec<OsString>),
    /// Run a command in this one's place.
    Run(Vec<OsString>),
}

/// What is meant, by the name of the binary or its first argument; `None` for every other name.
pub(super) fn meant(arguments: &[OsString]) -> Option<Meant> {
    meant_by(arguments, rustix::process::geteuid().is_root())
}

fn meant_by(arguments: &[OsString], is_root: bool) -> Option<Meant> {
    let is = |at: usize, name: &str| {
        arguments.get(at).is_some_and(|given| Path::new(given).file_name() == Some(OsStr::new(name)))
    };
    let rest = |from: usize| arguments.iter().skip(from).cloned();
    for at in [0, 1] {
        if is(at, SERVER) {
            return Some(server(rest(at + 1)));
        }
        if is(at, ENTRYPOINT) {
            let mut command: Vec<OsString> = rest(at + 1).collect();
            // Switches are the server's, and without a command it is the server that is meant.
            if command.first().is_none_or(|first| first.as_encoded_bytes().starts_with(b"-")) {
                command.insert(0, SERVER.into());
            }
            // That one is this program: no other has to be begun, in which a signal could be missed.
            let is_server = !is_root && command.first().is_some_and(|name| name == SERVER);
            return Some(if is_server { server(command.into_iter().skip(1)) } else { Meant::Run(command) });
        }
    }
    None
}

fn server(arguments: impl Iterator<Item = OsString>) -> Meant {
    let (detached, others): (Vec<OsString>, Vec<OsString>) =
        arguments.partition(|argument| argument == DETACHED);
    let ours = ["leveret", "serve"].map(OsString::from).into_iter().chain(others).collect();
    if detached.is_empty() { Meant::Serve(ours) } else { Meant::Detached(ours) }
}

/// Starts a server that outlives this process, with its output where this one's is.
pub(super) fn detach(arguments: &[OsString]) -> ExitCode {
    let started = std::env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        command.args(arguments.iter().skip(1)).stdin(Stdio::null()).process_group(0).spawn()
    });
    match started {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => refuse(exit::UNAVAILABLE, &format!("the server cannot be started: {error}")),
    }
}

/// Runs a command in the place of this process. It returns only if that cannot be, or need not be any more.
///
/// Root becomes the user `rabbitmq` for what is ours, as in RabbitMQ's image, and what is in that user's home is his then. A
/// signal that comes meanwhile ends it: nothing has begun.
pub(super) fn run(command: &[OsString]) -> ExitCode {
    let [name, arguments @ ..] = command else { return ExitCode::SUCCESS };
    let mut replaced = Command::new(name);
    replaced.args(arguments);
    if is_ours(name) && rustix::process::geteuid().is_root() {
        let handed_over = match Ear::open() {
            Ok(ear) => ear.unless_told(hand_over),
            Err(error) => return refuse(exit::UNAVAILABLE, &error),
        };
        let Some(user) = handed_over else { return ExitCode::SUCCESS };
        if let Some(user) = user {
            if let Err(error) = user.become_it() {
                let (uid, gid) = (user.uid, user.gid);
                let reason = format!(
                    "root cannot become the user {USER}: {error}; start the container as that user (--user {uid}:{gid}), \
                     or leave it the capabilities SETUID, SETGID and CHOWN"
                );
                return refuse(exit::NO_PERMISSION, &reason);
            }
            replaced.env("HOME", user.home);
        }
    }
    let error = replaced.exec();
    // The codes of a shell.
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    refuse(code, &format!("{ENTRYPOINT}: {}: {error}", Path::new(name).display()))
}

/// The user that is to be become, if there is one, who has what is in his home now.
fn hand_over() -> Option<User> {
    let user = User::named(USER, &fs::read_to_string(USERS).ok()?)?;
    if let Err((path, error)) = user.own_home() {
        // The server says what that leads to, if it leads to anything.
        let path = path.display();
        let _ = writeln!(io::stderr(), "leveret: {path} cannot be given to the user {USER}: {error}");
    }
    Some(user)
}

fn is_ours(name: &OsStr) -> bool {
    name == "leveret" || name.as_encoded_bytes().starts_with(b"rabbitmq")
}

/// What could not be given, and why.
type Refused = (PathBuf, io::Error);

#[derive(Debug, PartialEq, Eq)]
struct User {
    uid: u32,
    gid: u32,
    home: PathBuf,
}

impl User {
    /// The user of a name, by the text of `/etc/passwd`.
    fn named(name: &str, users: &str) -> Option<Self> {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        let uid = fields.next()?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self { uid, gid, home: PathBuf::from(fields.nth(1)?) })
    }

    /// Gives it what is in its home, and the home. Links are given, and not followed. What cannot be given (a secret that is
    /// mounted there) keeps nothing else from being given; the first such is told.
    ///
    /// It goes by open directories, not by names from the root on: whoever may write there could exchange one that was looked
    /// at for a link to somewhere else.
    fn own_home(&self) -> Result<(), Refused> {
        self.own(CWD, self.home.as_os_str(), &self.home, 0)
    }

    /// Gives it what has this name in a directory, which is so deep in its home. The path is for what is told.
    fn own(&self, within: BorrowedFd<'_>, name: &OsStr, path: &Path, depth: usize) -> Result<(), Refused> {
        let at = |error: Errno| (path.to_owned(), error.into());
        let found = match statat(within, name, AtFlags::SYMLINK_NOFOLLOW) {
            // It went meanwhile.
            Err(Errno::NOENT) => return Ok(()),
            found => found.map_err(at)?,
        };
        let mut given = Ok(());
        if found.st_uid != self.uid {
            let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
            given = chownat(within, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(at);
        }
        if FileType::from_raw_mode(found.st_mode).is_dir() {
            given = given.and(
                openat(within, name, DIRECTORY, Mode::empty())
                    .map_err(at)
                    .and_then(|directory| self.own_within(directory, path, depth)),
            );
        }
        given
    }

    fn own_within(&self, directory: OwnedFd, path: &Path, depth: usize) -> Result<(), Refused> {
        if depth >= DEPTH_MAX {
            let reason = format!("more than {DEPTH_MAX} directories are in one another");
            return Err((path.to_owned(), io::Error::other(reason)));
        }
        let at = |error: Errno| (path.to_owned(), error.into());
        let mut directory = Dir::new(directory).map_err(at)?;
        let mut given = Ok(());
        while let Some(entry) = directory.read() {
            let entry = entry.map_err(at)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                given = given.and(self.own(directory.fd().map_err(at)?, name, &path.join(name), depth + 1));
            }
        }
        given
    }

    /// Makes this process, which has one thread, the user's.
    fn become_it(&self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        set_thread_groups(&[gid])?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use rustix::fs::{fstat, mkdirat};

    use super::*;
    use crate::cli::ctl::Program;
    use crate::store::temporary::Temporary;

    fn told(arguments: &[&str], is_root: bool) -> String {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let joined = |words: Vec<OsString>| words.join(OsStr::new(" ")).into_string().unwrap();
        match meant_by(&arguments, is_root) {
            None => "nothing".to_owned(),
            Some(Meant::Serve(words)) => joined(words),
            Some(Meant::Detached(words)) => format!("detached: {}", joined(words)),
            Some(Meant::Run(words)) => format!("run: {}", joined(words)),
        }
    }

    #[test]
    fn the_names_of_rabbitmqs_image_mean_what_they_mean_there() {
        for (arguments, expected) in [
            (&["/usr/sbin/rabbitmq-server"][..], "leveret serve"),
            (&["rabbitmq-server", "--heartbeat", "30"], "leveret serve --heartbeat 30"),
            (&["leveret", "rabbitmq-server", "-c", "x"], "leveret serve -c x"),
            (&["rabbitmq-server", "-detached", "--in-memory"], "detached: leveret serve --in-memory"),
            (&["docker-entrypoint.sh", "rabbitmq-server"], "run: rabbitmq-server"),
            (&["/usr/local/bin/docker-entrypoint.sh", "bash", "-c", "x"], "run: bash -c x"),
            (&["docker-entrypoint.sh", "--heartbeat", "30"], "run: rabbitmq-server --heartbeat 30"),
            (&["docker-entrypoint.sh"], "run: rabbitmq-server"),
            (&["leveret", "docker-entrypoint.sh", "leveret", "bench"], "run: leveret bench"),
            (&["leveret", "serve", "rabbitmq-server"], "nothing"),
            (&["rabbitmqctl", "status"], "nothing"),
            (&[], "nothing"),
        ] {
            assert_eq!(told(arguments, true), expected, "{arguments:?}");
            // Who is not root becomes nobody else.
            let expected = expected.replace("run: rabbitmq-server", "leveret serve");
            assert_eq!(told(arguments, false), expected, "{arguments:?}");
        }
    }

    #[test]
    fn the_image_has_every_name_and_the_version() {
        let dockerfile = include_str!("../../docker/Dockerfile");
        let links =
            dockerfile.lines().skip_while(|line| !line.contains("for name in")).take(2).collect::<String>();
        let names = Program::ALL.map(Program::name).into_iter().chain([ENTRYPOINT, SERVER, "rabbitmqadmin"]);
        for name in names {
            assert!(
                links.split([' ', ';']).any(|word| word == name),
                "{name} is no name in the image: {links}"
            );
        }
        let version = concat!("ARG VERSION=", env!("CARGO_PKG_VERSION"), "\n");
        assert!(dockerfile.contains(version), "{version}");
    }

    /// Another user where this one may give files away, else oneself.
    fn user(home: &Path) -> User {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let other = u32::from(uid.is_root()) * 4242;
        User { uid: uid.as_raw() + other, gid: gid.as_raw() + other, home: home.to_owned() }
    }

    fn owner(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().uid()
    }

    #[test]
    fn a_home_is_given_with_all_that_is_in_it_and_nothing_behind_its_links() {
        let folder = Temporary::new();
        let (home, outside) = (folder.path().join("home"), folder.path().join("outside"));
        for path in [&home, &outside] {
            fs::create_dir_all(path.join("a/b")).unwrap();
            fs::write(path.join("a/b/file"), "x").unwrap();
        }
        symlink(&outside, home.join("link")).unwrap();
        symlink("nowhere", home.join("a/broken")).unwrap();
        let (user, me) = (user(&home), rustix::process::geteuid().as_raw());
        user.own_home().unwrap();
        for given in ["", "a", "a/b", "a/b/file", "a/broken", "link"] {
            assert_eq!(owner(&home.join(given)), user.uid, "{given}");
        }
        for kept in ["", "a", "a/b", "a/b/file"] {
            assert_eq!(owner(&outside.join(kept)), me, "{kept}");
        }
    }

    #[test]
    fn what_is_given_is_what_was_opened_though_a_link_has_its_name_now() {
        let folder = Temporary::new();
        let [opened, outside, moved] = ["opened", "outside", "moved"].map(|name| folder.path().join(name));
        for path in [&opened, &outside] {
            fs::create_dir(path).unwrap();
            fs::write(path.join("file"), "x").unwrap();
        }
        let (user, me) = (user(&opened), rustix::process::geteuid().as_raw());
        let directory = openat(CWD, &opened, DIRECTORY, Mode::empty()).unwrap();
        fs::rename(&opened, &moved).unwrap();
        symlink(&outside, &opened).unwrap();
        assert_eq!(openat(CWD, &opened, DIRECTORY, Mode::empty()).unwrap_err(), Errno::NOTDIR);
        user.own_within(directory, &opened, 0).unwrap();
        assert_eq!((owner(&moved.join("file")), owner(&outside.join("file"))), (user.uid, me));
    }

    #[test]
    fn a_home_that_is_deeper_than_a_path_may_be_long_is_given() {
        let folder = Temporary::new();
        let name = "d".repeat(250);
        let user = user(&folder.path().join("d"));
        let open = |within: BorrowedFd<'_>, name: &str| {
            mkdirat(within, name, Mode::RWXU).unwrap();
            openat(within, name, DIRECTORY, Mode::empty()).unwrap()
        };
        let mut deepest = open(CWD, user.home.to_str().unwrap());
        for _ in 0..20 {
            deepest = open(deepest.as_fd(), &name);
        }
        user.own_home().unwrap();
        assert_eq!(fstat(&deepest).unwrap().st_uid, user.uid);
        for _ in 20..DEPTH_MAX {
            deepest = open(deepest.as_fd(), "d");
        }
        let (_, refused) = user.own_home().unwrap_err();
        assert!(refused.to_string().contains("256 directories"), "{refused}");
    }

    #[test]
    fn the_user_is_found_by_its_name_alone() {
        let users = "root:x:0:0:root:/root:/bin/bash\nrabbitmq2:x:5:6::/x:\nrabbitmq:x:999:998:a b:/var/lib/rabbitmq:/no\n";
        let expected = User { uid: 999, gid: 998, home: "/var/lib/rabbitmq".into() };
        assert_eq!(User::named("rabbitmq", users), Some(expected));
        for users in ["", "rabbitmq", "rabbitmq:x:many:1::/x:", "xrabbitmq:x:1:1::/x:"] {
            assert_eq!(User::named("rabbitmq", users), None, "{users}");
        }
    }
}
