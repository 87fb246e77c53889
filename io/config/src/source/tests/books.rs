//! A server that was made anew holds other books: they take nothing away (ADR 26).

use super::{Seen, Server, Told, digest, setup, start, tenant};
use serde_json::{Value, json};
use std::path::Path;

/// A server of these books.
fn server(books: &'static str, revision: u64, objects: Vec<Value>) -> Server {
    let server = Server::start(Vec::new());
    becomes(&server, books, revision, objects);
    server
}

/// It was made anew, or restored; whoever watches hears of it.
fn becomes(server: &Server, name: &'static str, revision: u64, objects: Vec<Value>) {
    let mut books = server.books.lock().unwrap();
    (books.books, books.revision, books.objects) = (Some(name), revision, objects);
    books.events.clear();
    let beat = json!({ "revision": revision, "digest": digest(&books.objects), "books": name });
    books.events.push((revision, format!("event: heartbeat\ndata: {beat}\n\n")));
}

/// A client that has taken revision 2 of `ours`, and was stopped.
fn known(dir: &Path, objects: Vec<Value>) {
    let server = server("ours", 2, objects);
    let (told, watching) = start(setup(dir, &[&server]));
    told.at(2);
    assert!(watching.end());
}

fn refused(told: &Told) -> u64 {
    let (revision, why) = told.until("refused", |seen| seen.rejected.first().cloned());
    assert!(why.contains("W408") && why.contains("(theirs, not ours)"), "{why}");
    revision
}

fn kept(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("snapshot/current")).unwrap()
}

#[test]
fn other_books_take_nothing_away_whatever_their_revision_and_ours_come_back() {
    for revision in 1..4 {
        let dir = tempfile::tempdir().unwrap();
        known(dir.path(), vec![tenant("acme", 101)]);
        let server = server("theirs", revision, vec![tenant("beta", 101)]);
        let (told, watching) = start(setup(dir.path(), &[&server]));
        assert_eq!(refused(&told), revision);
        assert!(told.0.lock().unwrap().applied.is_empty(), "{revision}");
        told.until("the server knows", |_| {
            let books = server.books.lock().unwrap();
            books.reports.iter().find(|one| one["rejected"]["revision"] == revision).cloned()
        });
        assert!(kept(dir.path()).contains("acme"), "{revision}");
        // restored from a backup: the same books, one revision on
        becomes(&server, "ours", 4, vec![tenant("acme", 101), tenant("gamma", 102)]);
        server.drop_all();
        let resync = "event: resync\ndata: {\"revision\":4}\n\n".to_owned();
        server.books.lock().unwrap().events.push((revision, resync));
        assert!(told.at(4).tenant_by_name("gamma").is_some(), "{revision}");
        assert!(watching.end());
        assert!(kept(dir.path()).contains("\"ours\""), "{revision}");
    }
}

#[test]
fn without_what_was_kept_other_books_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    known(dir.path(), vec![tenant("acme", 101)]);
    let server = server("theirs", 1, vec![tenant("beta", 101)]);
    std::fs::rename(dir.path().join("snapshot"), dir.path().join("before")).unwrap();
    let (told, _watching) = start(setup(dir.path(), &[&server]));
    assert!(told.at(1).tenant_by_name("beta").is_some());
}

#[test]
fn nothing_in_force_is_replaced_by_any_books() {
    let dir = tempfile::tempdir().unwrap();
    known(dir.path(), Vec::new());
    let server = server("theirs", 3, vec![tenant("beta", 101)]);
    let (told, _watching) = start(setup(dir.path(), &[&server]));
    assert!(told.at(3).tenant_by_name("beta").is_some());
}

/// A server that was made anew from the same files: nothing is taken away, and what comes next is
/// taken. The same number is not fetched (304): there a heartbeat tells which books they are.
#[test]
fn other_books_with_the_same_in_them_are_ours_from_then_on() {
    for revision in 2..4 {
        let dir = tempfile::tempdir().unwrap();
        known(dir.path(), vec![tenant("acme", 101)]);
        let server = server("theirs", revision, vec![tenant("acme", 101)]);
        let (told, watching) = start(setup(dir.path(), &[&server]));
        told.until("theirs", |_| kept(dir.path()).contains("\"theirs\"").then_some(()));
        assert!(watching.end());
        becomes(&server, "theirs", 9, vec![tenant("beta", 102)]);
        let (told, _watching) = start(setup(dir.path(), &[&server]));
        assert!(told.at(9).tenant_by_name("beta").is_some());
        let none = |seen: &Seen| seen.rejected.is_empty().then_some(());
        told.until("nothing is refused", none);
    }
}

/// Before a server told which books it holds, and of one that does not.
#[test]
fn who_does_not_tell_is_taken_as_before() {
    let dir = tempfile::tempdir().unwrap();
    known(dir.path(), vec![tenant("acme", 101)]);
    let server = server("theirs", 3, vec![tenant("beta", 101)]);
    server.books.lock().unwrap().books = None;
    let (told, _watching) = start(setup(dir.path(), &[&server]));
    assert!(told.at(3).tenant_by_name("beta").is_some());
}
