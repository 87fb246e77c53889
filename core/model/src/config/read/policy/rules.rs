//! `dialing_rules` of a policy, and all rules of a configuration: each text is compiled once,
//! however many profiles have it.

use std::sync::Arc;

use crate::config::dialing::Rule;
use crate::config::limits::{MAX_RULE, MAX_RULES};
use crate::map::Map;
use crate::schema::{Object, Placed};

/// The rules as they are written.
pub(super) fn read(policy: &Object<'_>) -> Vec<Placed<String>> {
    let Some(field) = policy.get("dialing_rules") else { return Vec::new() };
    let Some(list) = field.list() else { return Vec::new() };
    if list.len() > MAX_RULES {
        let name = field.name();
        field.note("E106", format!("\"{name}\" must be between 0 and {MAX_RULES} rules"));
        return Vec::new();
    }
    list.iter()
        .filter_map(|rule| rule.text_up_to(MAX_RULE).map(|text| rule.placed(text.to_owned())))
        .collect()
}

/// Rules by their texts; what is wrong with a text is kept too.
#[derive(Debug)]
pub(crate) struct RuleBook(Map<String, Result<Arc<Rule>, String>>);

impl Default for RuleBook {
    fn default() -> Self {
        Self(Map::new(0))
    }
}

impl RuleBook {
    /// Reads a text, unless it is known, here or from before.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn add(&mut self, text: &str, before: &Self) -> Result<(), &str> {
        let read = || before.get(text).map_or_else(|| Rule::parse(text).map(Arc::new), Ok);
        match self.0.get_or_insert_with(text.to_owned(), read) {
            Ok(_) => Ok(()),
            Err(why) => Err(why),
        }
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, text: &str) -> Option<Arc<Rule>> {
        self.0.get(text)?.as_ref().ok().map(Arc::clone)
    }
}
