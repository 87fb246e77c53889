//! The committed inputs are tests: each target bears all of its own.

mod scripts;

use fuzz::corpus;
use fuzz::guard::caught;
use fuzz::target::TARGETS;

#[test]
fn every_committed_input_is_borne() {
    for target in TARGETS {
        let inputs = corpus::committed(target).unwrap();
        for input in inputs {
            let said = caught(|| (target.run)(&input));
            assert_eq!(said, Ok(()), "{}: {}", target.name, String::from_utf8_lossy(&input));
        }
    }
}

#[test]
fn every_folder_of_inputs_has_its_target() {
    let folder = corpus::folder().join("corpus");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(TARGETS.iter().any(|target| target.name == name), "{name}: no such target");
    }
}
