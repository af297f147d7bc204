//! What a confined process cannot do. Each attempt runs twice in a process of its own: free, where it must succeed, and
//! confined, where the kernel must refuse it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, exit};

use dogwatch_scan::sandbox::confine::{Confinement, confine};

/// Tells a process that it is one of these, and which directory is its.
const PLACE: &str = "CONFINEMENT_PLACE";
const CONFINED: &str = "CONFINEMENT_CONFINED";
/// The process that started it: asking the kernel is nothing a reader of files needs.
const PARENT: &str = "CONFINEMENT_PARENT";

/// How a process ends whose attempt was refused, and one that could not be confined.
const REFUSED: i32 = 42;
const IMPOSSIBLE: i32 = 43;

/// Files to try.
struct Place(PathBuf);

impl Place {
    fn readable(&self) -> PathBuf {
        self.0.join("readable")
    }

    fn spool(&self) -> PathBuf {
        self.0.join("spool")
    }

    fn secret(&self) -> PathBuf {
        self.0.join("secret")
    }

    fn make(&self) {
        for directory in [self.readable(), self.spool(), self.secret()] {
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("file"), "content").unwrap();
        }
        if dogwatch_scan::sandbox::is_root() {
            std::os::unix::fs::chown(self.spool(), Some(65534), Some(65534)).unwrap();
        }
    }

    fn confinement(&self) -> Confinement {
        Confinement {
            readable: vec![self.readable()],
            spool: self.spool(),
            from_root: dogwatch_scan::sandbox::is_root(),
        }
    }
}

/// The test `name` again, in a process of its own.
fn again(name: &str, confined: bool) -> Option<i32> {
    let directory = tempfile::tempdir().unwrap();
    // Whoever reads as nobody must be able to come here; what is below says the rest.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let place = Place(directory.path().to_owned());
    place.make();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(PLACE, &place.0);
    command.env(PARENT, std::process::id().to_string());
    if confined {
        command.env(CONFINED, "1");
    }
    command.output().unwrap().status.code()
}

/// Whether this is the process that tries, and how the attempt ended.
fn attempt(what: impl FnOnce(&Place) -> io::Result<()>) -> bool {
    let Some(place) = std::env::var_os(PLACE).map(|path| Place(path.into())) else { return false };
    if std::env::var_os(CONFINED).is_some() && confine(&place.confinement()).is_err() {
        exit(IMPOSSIBLE);
    }
    match what(&place) {
        Ok(()) => exit(0),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::OutOfMemory) => exit(REFUSED),
        Err(error) => {
            eprintln!("{error}");
            exit(1);
        }
    }
}

fn skipped(name: &str, confined: Option<i32>) -> bool {
    if confined == Some(IMPOSSIBLE) {
        eprintln!("SKIPPED: {name}: this kernel has no Landlock or no seccomp");
    }
    confined == Some(IMPOSSIBLE)
}

macro_rules! refused {
    ($($(#[$doc:meta])* $name:ident: $what:expr;)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            if !attempt($what) {
                assert_eq!(again(stringify!($name), false), Some(0), "it is possible otherwise");
                let confined = again(stringify!($name), true);
                if !skipped(stringify!($name), confined) {
                    assert_eq!(confined, Some(REFUSED));
                }
            }
        }
    )*};
}

macro_rules! allowed {
    ($($name:ident: $what:expr;)*) => {$(
        #[test]
        fn $name() {
            if !attempt($what) {
                let confined = again(stringify!($name), true);
                if !skipped(stringify!($name), confined) {
                    assert_eq!(confined, Some(0));
                }
            }
        }
    )*};
}

fn call(number: libc::c_long, arguments: [usize; 5]) -> io::Result<()> {
    let [a, b, c, d, e] = arguments;
    // SAFETY: the callers below pass null pointers, plain numbers, or memory of their own.
    match unsafe { libc::syscall(number, a, b, c, d, e) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The kernel knows the call and says something else than that it is not allowed.
fn known(number: libc::c_long, arguments: [usize; 5]) -> io::Result<()> {
    match call(number, arguments) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

allowed! {
    the_target_is_read: |place| {
        assert_eq!(fs::read_to_string(place.readable().join("file"))?, "content");
        assert_eq!(fs::read_dir(place.readable())?.count(), 1);
        Ok(())
    };
    temporary_files_are_written: |place| {
        let path = place.spool().join("temporary");
        fs::write(&path, "bytes")?;
        assert_eq!(fs::read_to_string(&path)?, "bytes");
        fs::remove_file(path)
    };
    threads_are_started: |_| {
        assert_eq!(std::thread::spawn(|| 1).join().unwrap(), 1);
        Ok(())
    };
}

refused! {
    another_file_is_not_read: |place| fs::read(place.secret().join("file")).map(drop);
    another_directory_is_not_listed: |place| fs::read_dir(place.secret()).map(drop);
    passwords_are_not_read: |_| {
        // Only root could: for anybody else the file mode says it already.
        let path = if dogwatch_scan::sandbox::is_root() { "/etc/shadow" } else { "/etc/passwd" };
        fs::read(path).map(drop)
    };
    other_processes_are_not_looked_at: |_| fs::read(format!("/proc/{}/environ", parent())).map(drop);
    the_target_is_not_changed: |place| fs::write(place.readable().join("file"), "x");
    nothing_is_added_to_the_target: |place| File::create(place.readable().join("new")).map(drop);
    nothing_is_removed: |place| fs::remove_file(place.secret().join("file"));
    nothing_is_renamed: |place| fs::rename(place.spool().join("file"), place.spool().join("other"));
    nothing_is_linked: |place| symlink("/etc/passwd", place.spool().join("link"));
    no_mode_is_changed: |place| fs::set_permissions(place.spool().join("file"), fs::Permissions::from_mode(0o4777));
    no_directory_is_made: |place| fs::create_dir(place.spool().join("new"));
    no_tcp: |_| {
        // Nobody listens there: whoever may ask is told so.
        match TcpStream::connect("127.0.0.1:1") {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            other => other.map(drop),
        }
    };
    no_tcp_server: |_| TcpListener::bind("127.0.0.1:0").map(drop);
    no_udp: |_| UdpSocket::bind("127.0.0.1:0").map(drop);
    no_unix_socket: |place| UnixListener::bind(place.spool().join("socket")).map(drop);
    no_unix_connection: |place| match UnixStream::connect(place.secret().join("nobody")) {
        // Nobody listens there: whoever may ask is told so.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other.map(drop),
    };
    no_socket_pair: |_| UnixStream::pair().map(drop);
    no_program_is_started: |_| Command::new("/bin/true").status().map(drop);
    nothing_is_executed: |_| {
        let (program, end) = (c"/bin/true", [std::ptr::null::<libc::c_char>()]);
        // SAFETY: a path that ends with a zero and two empty lists; where it succeeds this process is gone.
        unsafe { libc::execve(program.as_ptr(), end.as_ptr(), end.as_ptr()) };
        Err(io::Error::last_os_error())
    };
    no_process_is_forked: |_| {
        // SAFETY: the child does nothing but end.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            // SAFETY: ends the child at once.
            0 => unsafe { libc::_exit(0) },
            _ => Ok(()),
        }
    };
    no_namespace: |_| known(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize, 0, 0, 0, 0]);
    no_signal_to_others: |_| call(libc::SYS_kill, [parent(), 0, 0, 0, 0]);
    no_signal_by_way_of_a_file: |_| {
        let own = std::process::id() as usize;
        call(libc::SYS_fcntl, [0, libc::F_SETOWN as usize, own, 0, 0])
    };
    no_tracing: |_| known(libc::SYS_ptrace, [libc::PTRACE_ATTACH as usize, usize::MAX >> 1, 0, 0, 0]);
    no_memory_of_others: |_| known(libc::SYS_process_vm_readv, [usize::MAX >> 1, 0, 0, 0, 0]);
    no_code_is_made: |_| {
        let (length, wants) = (4096, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC);
        // SAFETY: new memory that nobody uses.
        let new = unsafe { libc::mmap(std::ptr::null_mut(), length, wants, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
        if new == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    no_file_in_memory: |_| call(libc::SYS_memfd_create, [c"x".as_ptr() as usize, 0, 0, 0, 0]);
    no_ring: |_| known(libc::SYS_io_uring_setup, [0, 0, 0, 0, 0]);
    no_keys: |_| known(libc::SYS_keyctl, [usize::MAX >> 1, 0, 0, 0, 0]);
    no_filter: |_| known(libc::SYS_seccomp, [usize::MAX >> 1, 0, 0, 0, 0]);
    no_limit_is_raised: |_| {
        let limit = libc::rlimit { rlim_cur: 1 << 20, rlim_max: 1 << 30 };
        // SAFETY: a limit of this process, from memory of this function.
        if unsafe { libc::setrlimit(libc::RLIMIT_CORE, &limit) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    no_memory_without_end: |_| {
        let mut bytes: Vec<u8> = Vec::new();
        // Only reserved, so that the machine need not have it.
        bytes.try_reserve_exact(9 << 30).map_err(|_| ErrorKind::OutOfMemory.into())
    };
}

fn parent() -> usize {
    std::env::var(PARENT).unwrap().parse().unwrap()
}

#[test]
fn root_is_nobody_and_can_become_nothing_else() {
    let tried = attempt(|_| {
        // SAFETY: they change only this process.
        let back = unsafe { [libc::syscall(libc::SYS_setuid, 0), libc::syscall(libc::SYS_capset, 0, 0)] };
        assert_eq!(back, [-1, -1]);
        // SAFETY: asks.
        match unsafe { (libc::getuid(), libc::getgid()) } {
            (65534, 65534) => Err(ErrorKind::PermissionDenied.into()),
            _ => Ok(()),
        }
    });
    if !tried && dogwatch_scan::sandbox::is_root() {
        let confined = again("root_is_nobody_and_can_become_nothing_else", true);
        assert!(skipped("root_is_nobody_and_can_become_nothing_else", confined) || confined == Some(REFUSED));
    }
}

/// Without these bounds a process could fill a disk or compute for ever.
#[test]
fn processor_time_and_files_have_bounds() {
    let tried = attempt(|_| {
        for resource in [libc::RLIMIT_CPU, libc::RLIMIT_FSIZE, libc::RLIMIT_AS, libc::RLIMIT_CORE] {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: asks, into memory of this function.
            assert_eq!(unsafe { libc::getrlimit(resource, &mut limit) }, 0);
            assert_ne!(limit.rlim_max, libc::RLIM_INFINITY, "{resource}");
        }
        let mut threads = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: asks, into memory of this function.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NPROC, &mut threads) }, 0);
        // SAFETY: asks.
        assert!(unsafe { libc::getuid() } != 65534 || threads.rlim_max <= 4096, "{}", threads.rlim_max);
        Ok(())
    });
    if !tried {
        let confined = again("processor_time_and_files_have_bounds", true);
        assert!(skipped("processor_time_and_files_have_bounds", confined) || confined == Some(0));
    }
}
