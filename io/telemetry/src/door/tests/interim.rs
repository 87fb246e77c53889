//! Visitors who wait for `100 Continue` before they send a body (RFC 9110 §10.1.1), as curl does
//! above 1 MiB.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{BEGUN, LONG, SHORT, asked, drip, open};

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

/// Reads until what has come ends so.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let (mut text, mut piece) = (String::new(), [0; 1024]);
    while !text.ends_with(end) {
        let read = timeout(LONG, stream.read(&mut piece)).await.unwrap().unwrap();
        assert!(read > 0, "closed behind {text:?}");
        text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    text
}

/// Announces a body of so many bytes, and is told to go on.
async fn announced(stream: &mut TcpStream, bytes: usize) {
    let head = format!(
        "POST /take HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(until(stream, "\r\n\r\n").await, CONTINUE);
}

/// The answer to a body of so many bytes.
async fn taken(stream: &mut TcpStream, bytes: usize) {
    let answer = until(stream, &format!("\r\n\r\n{bytes}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_of_any_size_comes_whole_and_so_does_the_next() {
    let mut stream = TcpStream::connect(open(4, LONG).await).await.unwrap();
    for bytes in [1, 100 << 10, 5 << 20, 100 << 10] {
        announced(&mut stream, bytes).await;
        stream.write_all(&vec![b'x'; bytes]).await.unwrap();
        taken(&mut stream, bytes).await;
        assert!(asked(&mut stream, "/").await.ends_with("fast"));
    }
}

#[tokio::test]
async fn the_time_of_a_head_is_not_that_of_a_body() {
    let mut stream = TcpStream::connect(open(4, SHORT).await).await.unwrap();
    announced(&mut stream, 30).await;
    for _ in 0..3 {
        stream.write_all(&[b'x'; 10]).await.unwrap();
        sleep(SHORT).await;
    }
    taken(&mut stream, 30).await;
    assert!(asked(&mut stream, "/").await.ends_with("fast"));
}

/// Whether the next one is begun behind the answer, or with the last bytes of the body before it.
#[tokio::test]
async fn the_next_request_has_its_limits_again() {
    let address = open(4, SHORT).await;
    for together in [true, false] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        announced(&mut stream, 100 << 10).await;
        let mut rest = vec![b'x'; 100 << 10];
        if together {
            rest.extend(BEGUN);
        }
        stream.write_all(&rest).await.unwrap();
        taken(&mut stream, 100 << 10).await;
        if !together {
            stream.write_all(BEGUN).await.unwrap();
        }
        timeout(LONG, drip(stream)).await.unwrap();
    }
    let mut stream = TcpStream::connect(open(4, LONG).await).await.unwrap();
    announced(&mut stream, 1).await;
    stream.write_all(b"x").await.unwrap();
    taken(&mut stream, 1).await;
    let mut head = BEGUN.to_vec();
    head.extend(b"X-Long: ");
    head.extend(vec![b'x'; 200 << 10]);
    // it may be closed before all of it was sent; its end never comes
    let _cut_off = stream.write_all(&head).await;
    let mut answer = Vec::new();
    let _reset = timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}
