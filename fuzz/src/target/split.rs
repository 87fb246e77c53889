//! `rs::split`: bodies of HTTP ingest. What JSON says is an array comes apart into its elements,
//! whatever else a body is gets an answer, and no part is empty or lies outside.

use rs::split::{Form, split};
use serde_json::Value;

const MOST: usize = 1000;

pub(super) fn run(data: &[u8]) {
    if let Ok(lines) = split(data, Form::Lines, MOST) {
        assert!(lines.len() <= MOST && lines.iter().all(|line| !line.is_empty()));
        assert!(lines.iter().all(|line| !line.contains(&b'\n')));
    }
    let parts = split(data, Form::Json, MOST);
    if let Ok(parts) = &parts {
        assert!(parts.len() <= MOST && parts.iter().all(|part| !part.is_empty()));
        let bytes: usize = parts.iter().map(|part| part.len()).sum();
        assert!(bytes <= data.len());
    }
    match serde_json::from_slice(data) {
        Ok(Value::Array(elements)) if elements.len() <= MOST => {
            let parts = parts.as_deref().unwrap_or_default();
            let read: Result<Vec<Value>, _> =
                parts.iter().map(|part| serde_json::from_slice(part)).collect();
            assert_eq!(read.ok(), Some(elements));
        }
        Ok(Value::Object(_)) => assert_eq!(parts.map(|parts| parts.len()), Ok(1)),
        Ok(_) | Err(_) => {}
    }
}
