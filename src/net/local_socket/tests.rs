use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("leveret-socket-{}-{number}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn whoever_connects_is_known_by_its_user_and_the_file_goes_with_the_listener() {
    let folder = Folder::new();
    let path = folder.0.join("s.sock");
    run(async {
        let listener = LocalListener::in_own_directory(path.clone(), 0o640).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        let _client = StdUnixStream::connect(&path).unwrap();
        let (_, peer) = listener.accept().await;
        assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
        assert!(peer.is_operator());
        drop(listener);
        assert!(fs::symlink_metadata(&path).is_err());
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 0);
    });
    assert!(!LocalPeer { uid: u32::MAX - 7 }.is_operator());
    assert!(LocalPeer { uid: 0 }.is_operator());
}

#[test]
fn a_socket_that_was_left_is_replaced_and_one_that_is_listened_at_is_not() {
    let folder = Folder::new();
    let path = folder.0.join("s.sock");
    run(async {
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(fs::symlink_metadata(&path).is_ok(), "it is left");
        let first = LocalListener::in_own_directory(path.clone(), SOCKET_MODE).unwrap();
        let second = LocalListener::in_own_directory(path.clone(), SOCKET_MODE).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::AddrInUse);
        StdUnixStream::connect(&path).unwrap();
        drop(first);
        fs::write(&path, "mine").unwrap();
        let refused = LocalListener::in_own_directory(path.clone(), SOCKET_MODE).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    });
}

#[test]
fn in_a_directory_of_many_one_at_a_time_listens_under_a_name() {
    let folder = Folder::new();
    let path = folder.0.join("run/s.sock");
    run(async {
        let first = LocalListener::in_directory_of_many(path.clone(), SOCKET_MODE).unwrap();
        // Not even when the file is gone.
        fs::remove_file(&path).unwrap();
        let second = LocalListener::in_directory_of_many(path.clone(), SOCKET_MODE).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::AddrInUse);
        drop(first);
        assert_eq!(fs::read_dir(folder.0.join("run")).unwrap().count(), 0);
        LocalListener::in_directory_of_many(path.clone(), SOCKET_MODE).unwrap();
        fs::set_permissions(folder.0.join("run"), Permissions::from_mode(0o777)).unwrap();
        let refused = LocalListener::in_directory_of_many(path.clone(), SOCKET_MODE).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    });
}
