use std::collections::BTreeMap;

use springtide_types::{Result, SqlError, SqlState};

/// The options of a source, by name, as texts.
pub type Options = BTreeMap<String, String>;

/// Takes the options of a source one after the other, and complains of those that are left.
pub struct OptionReader<'a> {
    connector: &'static str,
    options: &'a Options,
    known: Vec<&'static str>,
}

impl<'a> OptionReader<'a> {
    /// A reader of the options of a source of this connector.
    pub fn new(connector: &'static str, options: &'a Options) -> OptionReader<'a> {
        OptionReader { connector, options, known: Vec::new() }
    }

    /// The text of an option, if it is there.
    pub fn text(&mut self, name: &'static str) -> Option<&'a str> {
        self.known.push(name);
        self.options.get(name).map(String::as_str)
    }

    /// A number from 1 on, if it is there; `22023` if it is something else.
    pub fn count(&mut self, name: &'static str) -> Result<Option<u64>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        // As far as a bigint goes, in which it is counted.
        let number = text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
        number.filter(|number| *number > 0).map(Some).ok_or_else(|| {
            let message = format!("invalid value for option \"{name}\": \"{text}\"");
            SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
                .with_hint(format!("Give {name} as a positive integer, or leave it out."))
        })
    }

    /// Fails with `22023` if there are options that nobody asked for.
    pub fn finish(self) -> Result<()> {
        let Some(unknown) = self.options.keys().find(|name| !self.known.contains(&name.as_str())) else {
            return Ok(());
        };
        let message =
            format!("unrecognized option \"{unknown}\" for a source from {}", self.connector.to_uppercase());
        Err(SqlError::new(SqlState::INVALID_PARAMETER_VALUE, message)
            .with_hint(format!("There are: {}.", self.known.join(", "))))
    }
}
