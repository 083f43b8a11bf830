//! `search_path`: a list of names, any of which may be in quotes.

use std::sync::Arc;

use springtide_catalog::{SchemaId, SearchPath};
use springtide_types::{Result, SqlError, SqlState};

/// Where names without a schema are looked up.
pub(crate) const SEARCH_PATH: &str = "search_path";

/// What stands for the name of the current role.
const USER: &str = "$user";

/// The path that a value says, for a role of this name.
pub(super) fn search_path(value: &str, role: &str, temporary: SchemaId) -> Result<Arc<SearchPath>> {
    let names = names(value).ok_or_else(|| invalid(value))?;
    let names = names.into_iter().map(|name| if name == USER { role.to_owned() } else { name });
    Ok(Arc::new(SearchPath::new(names.filter(|name| !name.is_empty()).collect(), temporary)))
}

/// Fails with `22023` unless a value is such a list.
pub(super) fn check(value: &str) -> Result<()> {
    names(value).map(drop).ok_or_else(|| invalid(value))
}

fn invalid(value: &str) -> SqlError {
    let message = format!("invalid value for parameter \"{SEARCH_PATH}\": \"{value}\"");
    SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message).with_detail("List syntax is invalid.")
}

/// The names of a list; `None` if it is none.
fn names(list: &str) -> Option<Vec<String>> {
    if list.trim().is_empty() {
        return Some(Vec::new());
    }
    let mut rest = list;
    let mut names = Vec::new();
    loop {
        let (name, after) = name(rest.trim_start())?;
        names.push(name);
        rest = match after.trim_start() {
            "" => return Some(names),
            after => after.strip_prefix(',')?,
        };
    }
}

/// The name that a text begins with, and what follows it.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t', '\n', '"']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        return (!name.is_empty()).then(|| (name.to_lowercase(), rest));
    };
    let (mut name, mut rest) = (String::new(), quoted);
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names() {
        let check = |list: &str, expected: &[&str]| {
            assert_eq!(names(list).unwrap(), expected, "{list}");
        };
        check("\"$user\", Public", &["$user", "public"]);
        check(" a ,\"B \"\"c\"\"\" ", &["a", "B \"c\""]);
        check("", &[]);
        check("\"\"", &[""]);
        assert!(names("a,").is_none() && names("a b").is_none() && names("\"a").is_none());
    }
}
