//! Listeners that fail, and come back.

use super::*;

/// A listener that accepts nothing more says so once, and again when it does.
#[test]
fn a_listener_that_fails_is_told_and_so_is_its_return() {
    let mut node = Node::strangers();
    let Some(Slot::Tcp(listener)) = node.transport.listeners.get_mut(1) else { unreachable!() };
    listener.break_it();
    let mut told = Vec::new();
    let mut turn = |node: &mut Node, enough: usize| {
        node.now += crate::limits::ACCEPT_REST;
        node.turn_until(|_| true);
        told.extend(node.transport.news().map(|(which, how)| (which, how.is_ok())));
        assert!(told.len() <= enough, "{told:?}");
        told.len() == enough
    };
    assert!((0..100).any(|_| turn(&mut node, 1)), "it is told");
    assert!(!(0..5).any(|_| turn(&mut node, 2)), "once");
    let Some(Slot::Tcp(listener)) = node.transport.listeners.get_mut(1) else { unreachable!() };
    listener.mend_it();
    assert!((0..100).any(|_| turn(&mut node, 2)), "it is back");
    let address = told[1].0.clone();
    assert!(address.starts_with("tcp 127.0.0.1:"), "{address}");
    assert_eq!((told[0].1, told[1].1), (false, true));
}
