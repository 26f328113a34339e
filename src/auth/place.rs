//! Where somebody stands who signs in: for the limits, and for the log of attempts.

use std::net::IpAddr;

use crate::model::session::Device;
use crate::model::sign_in::How;

/// Where an attempt comes from.
#[derive(Clone, Debug)]
pub struct Place {
    /// The client's address.
    pub ip: IpAddr,
    /// The cookie of a known device, as it was sent.
    pub device: Option<String>,
    /// The User-Agent, for the log of attempts.
    pub agent: String,
    /// At which door.
    pub how: How,
}

impl Place {
    /// The same, at this door and with what sessions keep of the client.
    pub fn by(mut self, how: How, device: &Device) -> Self {
        self.how = how;
        self.agent.clone_from(&device.user_agent);
        self
    }
}

impl From<IpAddr> for Place {
    fn from(ip: IpAddr) -> Self {
        Self { ip, device: None, agent: String::new(), how: How::default() }
    }
}
