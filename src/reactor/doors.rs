//! Doors to the sockets' driver, each shared by some sockets: the driver looks for
//! a request among all those that came through the same one.

use crate::error::{Error, Result};
use crate::platform::afd::{Driver, Port};

/// So many sockets share one.
const MOST: u32 = 32;

/// All that lead to one port.
pub struct Doors(Vec<Door>);

struct Door {
    /// None: nobody uses it.
    driver: Option<Driver>,
    users: u32,
}

impl Doors {
    /// None yet.
    pub const fn new() -> Self {
        Doors(Vec::new())
    }

    /// The number of a door for one more socket.
    pub fn enter(&mut self, port: Port) -> Result<u32> {
        let has_room = |door: &Door| door.driver.is_some() && door.users < MOST;
        let index = match self.0.iter().rposition(has_room) {
            Some(index) => index,
            None => self.open(Driver::open(port).map_err(Error::Sys)?)?,
        };
        self.0[index].users += 1;
        Ok(index as u32)
    }

    fn open(&mut self, driver: Driver) -> Result<usize> {
        let index = match self.0.iter().position(|door| door.driver.is_none()) {
            Some(index) => index,
            None => {
                self.0.try_reserve(1).map_err(|_| Error::NO_MEMORY)?;
                self.0.push(Door { driver: None, users: 0 });
                self.0.len() - 1
            }
        };
        self.0[index].driver = Some(driver);
        Ok(index)
    }

    /// A socket does not need it any more.
    pub fn leave(&mut self, index: u32) {
        let door = &mut self.0[index as usize];
        door.users -= 1;
        if door.users == 0 {
            door.driver = None;
        }
    }

    /// The driver behind it.
    pub fn driver(&self, index: u32) -> Option<&Driver> {
        self.0[index as usize].driver.as_ref()
    }

    /// Does nobody use any?
    #[cfg(test)]
    pub fn are_shut(&self) -> bool {
        self.0.iter().all(|door| door.driver.is_none())
    }
}
