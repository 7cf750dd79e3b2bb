//! What a command says when it cannot do what it is asked to do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use crate::shell::Shell;

#[test]
fn a_broker_that_is_not_found_or_does_not_answer_is_said_to_be_so() {
    let mut shell = Shell::new();
    // Nobody listens there, and nobody else is given it.
    let nobody = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    nobody.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    shell.set("NOBODY", &nobody.local_addr().unwrap().as_socket().unwrap().to_string());
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    shell.set("OTHER", &other.local_addr().unwrap().to_string());
    let speaks = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        // The whole request: one that is reset says something else.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut octet = [0];
            stream.read_exact(&mut octet).unwrap();
            head.push(octet[0]);
        }
        stream.write_all(b"AMQP\0\0\x09\x01").unwrap();
    });
    shell.file("password", b"wrong\n");
    shell.follow("failures");
    speaks.join().unwrap();
}

#[test]
fn an_address_where_no_broker_is_known_is_not_taken_for_one_without_what_is_asked_for() {
    let mut shell = Shell::new();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    shell.set("PROXY", &proxy.local_addr().unwrap().to_string());
    // As long as anybody asks: it is not waited for.
    std::thread::spawn(move || {
        for stream in proxy.incoming() {
            let stream = stream.unwrap();
            let mut lines = BufReader::new(&stream).lines();
            while let Some(Ok(line)) = lines.next() {
                if line.is_empty() {
                    let body = "<h1>404 Not Found</h1>";
                    let head = format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n", body.len());
                    // Who asked may have what he wants.
                    let _ = (&stream).write_all(format!("{head}{body}").as_bytes());
                }
            }
        }
    });
    shell.follow("wrong_address");
}

#[test]
fn no_password_is_ever_shown() {
    let shell = Shell::new();
    shell.file("hidden-file", b"hidden\n");
    for command in [
        "leveret queues ls --url http://u:hidden@$ADDRESS",
        "leveret queues ls --url http://u:hidden@$ADDRESS/x?y",
        "leveret queues ls --url amqp://u:hidden@$ADDRESS",
        "leveret queues ls --url 'http://u:hidden@[::'",
        "LEVERET_URL=ftp://u:hidden@h leveret queues ls",
        "leveret queues ls --url http://$ADDRESS --user u --password hidden",
        "leveret queues ls --url http://$ADDRESS --user u --password-file hidden-file",
        "leveret status --url http://127.0.0.1:1 --user u --password hidden",
        "leveret context save a --url http://u:hidden@h",
        "leveret users declare a --new-password-file hidden-file --dry-run",
        "leveret users declare a --new-password-file hidden-file",
        "leveret users show a",
    ] {
        let said = shell.run(command);
        assert!(!said.output.contains("hidden") && !said.error.contains("hidden"), "{command}: {said:?}");
    }
}
