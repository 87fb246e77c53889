//! Records that are kept whole, of which figures are made again (rs.md §2.6): what a producer
//! counted for an erased number goes, what it counted for all else stays as it is.

use model::record::Record;
use serde_json::Value;

use super::numbers::Numbers;

/// The body of such a record without these numbers; `None`: it tells none. A value of a dialled
/// number that is one of them goes whole: under a number of nines the figures of several would be
/// one.
#[must_use]
pub fn kept_without(numbers: &Numbers, body: &str) -> Option<String> {
    if !numbers.are_in(body.as_bytes()) {
        return None;
    }
    let less = without_values(numbers, body);
    let body = less.as_deref().unwrap_or(body);
    numbers.without(body).or(less)
}

/// `None`: no value is of one of them.
fn without_values(numbers: &Numbers, body: &str) -> Option<String> {
    let mut record = Record::json_of(body.as_bytes())?;
    let values = record.get_mut("values")?.as_array_mut()?;
    let all = values.len();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    values.retain(|value| {
        let dn = text(value, "name").filter(|_| text(value, "dim").as_deref() == Some("dn"));
        !dn.is_some_and(|dn| numbers.are_in(dn.as_bytes()))
    });
    (values.len() < all).then(|| record.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::erase::Number;

    #[test]
    fn a_value_of_an_erased_number_goes_and_the_others_stay() {
        let all = ["4930123456", "4930654321"].map(|it| Number::of(it).unwrap().hash(&[7; 32]));
        let numbers = Numbers::of(all, [7; 32]);
        let without = |body: &str| kept_without(&numbers, body);
        let body = r#"{"id":"4930123456","values":[{"count":1,"dim":"dn","name":"+4930123456"},
            {"count":2,"dim":"dn","name":"1800"},{"count":3,"dim":"dn","name":"4930654321"},
            {"count":4,"dim":"tenant","name":"of 4930123456"}]}"#;
        let left = [
            r#"{"id":"4930123456","values":[{"count":2,"dim":"dn","name":"1800"}"#,
            r#"{"count":4,"dim":"tenant","name":"of 9999999999"}]}"#,
        ];
        let left = left.join(",");
        assert_eq!(without(body).as_ref(), Some(&left));
        assert_eq!(without(&left), None, "once is enough");
        assert_eq!(without(r#"{"x":"4930123456"}"#).as_deref(), Some(r#"{"x":"9999999999"}"#));
        assert_eq!(without(r#"{"values":[{"dim":"dn","name":"1800"}]}"#), None);
        let odd = r#"{"x":1e999,"values":[{"dim":"dn","name":"4930123456"}]}"#;
        assert_eq!(without(odd), Some(json!({"values": [], "x": f64::MAX}).to_string()));
        let own = r#"{"values":[{"dim":"dn","name":"4930654321"}]}"#;
        assert_eq!(without(own).as_deref(), Some(r#"{"values":[]}"#));
    }
}
