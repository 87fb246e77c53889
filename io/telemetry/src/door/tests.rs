//! The door with visitors who are slow, and with those who are not.

mod edges;
mod interim;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::{Door, Limits, service};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);
const BEGUN: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n";

/// Answers `/` at once, `/slow` later than a request may take to come, `/take` when a body has come
/// whole, with its length, and `/refuse` before any of it has.
async fn open(connections: usize, request: Duration) -> SocketAddr {
    door(Limits { connections, request, idle: LONG }).await
}

async fn door(limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let slow = || async {
        sleep(SHORT * 3).await;
        "slow"
    };
    let take = |body: Body| async { to_bytes(body, usize::MAX).await.unwrap().len().to_string() };
    let router = Router::new()
        .route("/", get(|| async { "fast" }))
        .route("/slow", get(slow))
        .route("/take", post(take))
        .route("/refuse", post(|| async { (StatusCode::FORBIDDEN, "not you") }));
    let door = Door::new(listener, limits);
    tokio::spawn(async move { axum::serve(door, service(router)).await });
    address
}

async fn begun(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(BEGUN).await.unwrap();
    stream
}

async fn asked(stream: &mut TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut answer, mut piece) = (String::new(), [0; 1024]);
    while !answer.ends_with("fast") && !answer.ends_with("slow") {
        let read = timeout(LONG, stream.read(&mut piece)).await.unwrap().unwrap();
        assert!(read > 0, "closed behind {answer:?}");
        answer.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    answer
}

/// Sends a byte of a header now and then, until the other side closes.
async fn drip(mut stream: TcpStream) {
    let mut piece = [0; 1024];
    loop {
        let sent = stream.write_all(b"x").await;
        let answer = timeout(SHORT / 10, stream.read(&mut piece)).await;
        if sent.is_err() || matches!(answer, Ok(Ok(0) | Err(_))) {
            return;
        }
    }
}

#[tokio::test]
async fn bytes_do_not_lengthen_the_time_of_a_request() {
    let address = open(4, SHORT).await;
    timeout(LONG, drip(begun(address).await)).await.unwrap();
    // nor do those of the second one on a connection
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert!(asked(&mut stream, "/").await.ends_with("fast"));
    stream.write_all(BEGUN).await.unwrap();
    timeout(LONG, drip(stream)).await.unwrap();
}

#[tokio::test]
async fn what_has_come_whole_has_time_and_so_has_what_is_between_two() {
    let mut stream = TcpStream::connect(open(4, SHORT).await).await.unwrap();
    assert!(asked(&mut stream, "/slow").await.ends_with("slow"));
    sleep(SHORT * 3).await;
    assert!(asked(&mut stream, "/").await.ends_with("fast"));
}

#[tokio::test]
async fn slow_visitors_keep_nobody_out() {
    let address = open(4, LONG).await;
    let mut first = begun(address).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(begun(address).await);
    }
    let mut newcomer = TcpStream::connect(address).await.unwrap();
    let answer = timeout(LONG / 2, asked(&mut newcomer, "/")).await.unwrap();
    assert!(answer.contains("connection: close\r\n"), "no place is kept in a crowd: {answer}");
    // the oldest is gone, the newest is not
    let mut piece = [0; 8];
    assert!(matches!(timeout(LONG, first.read(&mut piece)).await, Ok(Ok(0) | Err(_))));
    let newest = kept.last_mut().unwrap();
    newest.write_all(b"\r\n").await.unwrap();
    let read = timeout(LONG, newest.read(&mut piece)).await.unwrap().unwrap();
    assert_eq!(&piece[..read], b"HTTP/1.1");
}

/// Between two requests, and while an answer is not taken: both are silence.
#[tokio::test]
async fn a_connection_on_which_nothing_moves_is_closed() {
    let address = door(Limits { connections: 9, request: LONG, idle: SHORT }).await;
    let mut kept = TcpStream::connect(address).await.unwrap();
    assert!(asked(&mut kept, "/").await.ends_with("fast"));
    let mut rest = Vec::new();
    let ended = timeout(LONG, kept.read_to_end(&mut rest)).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    let mut begun = begun(address).await;
    let ended = timeout(LONG, begun.read_to_end(&mut rest)).await.unwrap();
    assert!(matches!(ended, Ok(_) | Err(_)) && !rest.starts_with(b"HTTP/1.1 200"), "{ended:?}");
}
