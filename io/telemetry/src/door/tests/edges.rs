//! Answers that go before the request has come whole, and requests that get none.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{LONG, open};

/// A head that announces a body of so many bytes, to who does not read it.
fn head(path: &str, bytes: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {bytes}\r\n\r\n")
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn whoever_writes_all_before_reading_reads_why_it_was_refused() {
    let address = open(4, LONG).await;
    for bytes in [1, 100 << 10, 10 << 20] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head("/refuse", bytes).as_bytes()).await.unwrap();
        // the answer has come by now
        let mut first = [0; 12];
        timeout(LONG, stream.read_exact(&mut first)).await.unwrap().unwrap();
        assert_eq!(&first, b"HTTP/1.1 403");
        stream.write_all(&vec![b'x'; bytes]).await.unwrap();
        assert!(rest(&mut stream).await.ends_with("not you"));
    }
}

#[tokio::test]
async fn what_has_no_end_is_not_read_to_its_end() {
    let mut stream = TcpStream::connect(open(4, LONG).await).await.unwrap();
    stream.write_all(head("/refuse", 1 << 40).as_bytes()).await.unwrap();
    let piece = vec![b'x'; 1 << 20];
    let written = async {
        let mut pieces = 0;
        while stream.write_all(&piece).await.is_ok() {
            pieces += 1;
        }
        pieces
    };
    let pieces = timeout(LONG, written).await.unwrap();
    assert!(pieces >= 32, "{pieces} MiB");
}

#[tokio::test]
async fn what_could_be_taken_for_another_request_is_refused_and_ends_the_connection() {
    let address = open(4, LONG).await;
    let (length, chunked) = ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n");
    let host = "Host: a\r\n";
    for (version, headers, status) in [
        ("1.1", host.to_owned(), 200),
        ("1.1", format!("{host}{length}"), 200),
        ("1.1", format!("{host}{chunked}"), 200),
        ("1.0", String::new(), 200),
        ("1.1", String::new(), 400),
        ("1.1", format!("{host}{host}"), 400),
        ("1.0", format!("{host}Host: b\r\n"), 400),
        ("1.1", format!("{host}{chunked}{chunked}"), 400),
        ("1.1", format!("{host}Transfer-Encoding: chunked, Chunked\r\n"), 400),
        ("1.1", format!("{host}Transfer-Encoding: gzip, chunked\r\n"), 501),
        ("1.1", format!("{host}Transfer-Encoding: identity\r\n"), 400),
        ("1.1", format!("{host}Transfer-Encoding: identity\r\n{chunked}"), 501),
        ("1.1", format!("{host}{length}{chunked}"), 400),
        ("1.1", format!("{chunked}{host}{length}"), 400),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let last = if status == 200 { "Connection: close\r\n" } else { "" };
        let next = format!("GET / HTTP/1.1\r\n{host}\r\n");
        let body = match headers.as_str() {
            text if text.contains("chunked") => "5\r\nhello\r\n0\r\n\r\n",
            text if text.contains("Length") => "hello",
            _ => "",
        };
        let request = format!("POST /take HTTP/{version}\r\n{headers}{last}\r\n{body}");
        let both = if status == 200 { request } else { request + &next };
        stream.write_all(both.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert_eq!(answer.get(9..12), Some(&*status.to_string()), "{headers:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{headers:?}: {answer}");
    }
    // so does the second one of a connection
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{}hello", head("/take", 5)).as_bytes()).await.unwrap();
    let mut piece = [0; 1024];
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\n5") {
        let read = timeout(LONG, stream.read(&mut piece)).await.unwrap().unwrap();
        answer.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    let second = format!("POST /take HTTP/1.1\r\n{host}{length}{chunked}\r\n0\r\n\r\n");
    stream.write_all(second.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 400"));
}
