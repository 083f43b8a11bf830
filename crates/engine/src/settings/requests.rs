use parking_lot::Mutex;
use springtide_catalog::system::SettingRequests;
use springtide_datetime::DateStyle;
use springtide_types::Result;

use super::parameters::find;
use super::{ROLE, SESSION_AUTHORIZATION, shown, unrecognized};

/// What `set_config` was asked for by queries, until the session sees to it.
#[derive(Debug, Default)]
pub(crate) struct Requests(Mutex<Vec<Request>>);

/// A parameter to be set as if by SET or SET LOCAL.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) local: bool,
}

impl Requests {
    /// Those since this was last asked.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.0.lock())
    }
}

impl SettingRequests for Requests {
    fn request(&self, name: &str, value: Option<&str>, local: bool) -> Result<String> {
        let name = name.to_lowercase();
        let value = match value {
            // Whether it may be is found out when it is set.
            Some(value) if [ROLE, SESSION_AUTHORIZATION].contains(&name.as_str()) => value.to_owned(),
            Some(value) => shown(&name, value, DateStyle::default())?,
            None => find(&name).map(|known| known.default.to_owned()).ok_or_else(|| unrecognized(&name))?,
        };
        self.0.lock().push(Request { name, value: value.clone(), local });
        Ok(value)
    }
}
