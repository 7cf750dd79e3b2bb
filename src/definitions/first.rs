//! What a broker has from the start: what definitions bring, and the default user and virtual host where they bring none.

use std::fmt;

use super::document::Section;
use super::files::{LoadError, Loaded};
use crate::auth::CredentialsRefused;
use crate::config::Config;
use crate::connection::Environment;

/// Why there is not what there has to be.
#[derive(Debug)]
pub enum NotMade {
    /// Definitions cannot be imported.
    Load(LoadError),
    /// The default user's password is not as the configuration wants passwords: nobody could log in.
    DefaultUser(CredentialsRefused),
}

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(error) => write!(f, "{error}; correct it, or start without load_definitions"),
            Self::DefaultUser(refused) => {
                write!(
                    f,
                    "the default user cannot be made: {refused}; set default_pass to a password that fits it"
                )
            }
        }
    }
}

/// Definitions that were read, and are to be imported.
#[derive(Debug)]
pub struct First(Option<Loaded>);

impl First {
    /// Reads what is configured, before anything is begun.
    ///
    /// # Errors
    /// As of [`Loaded::read`].
    pub fn read(config: &Config) -> Result<Self, LoadError> {
        config.definitions.load.as_deref().map(Loaded::read).transpose().map(Self)
    }

    /// Makes what there has to be. Waits for the disk. In a broker that has virtual hosts the default one stays deleted, if
    /// it was; so it is made last, and a start that is cut short makes the rest of it again.
    ///
    /// # Errors
    /// As of [`Loaded::import`], or the default user would have a password that is not taken.
    pub fn make(&self, environment: &Environment) -> Result<(), NotMade> {
        let config = environment.config();
        let brings = |section| self.0.as_ref().is_some_and(|loaded| loaded.brings(section));
        let default = &config.access.default_user;
        let is_new = environment.vhosts.all().is_empty();
        let mut until = None;
        if environment.access.is_empty() && !brings(Section::Users) {
            if !is_new {
                tracing::warn!("no user is defined: the default user '{}' is made", default.name);
            }
            environment.access.check_default_user().map_err(NotMade::DefaultUser)?;
            until = until.max(environment.access.add_default_user());
        }
        if is_new && !brings(Section::Vhosts) {
            // After the default user, which is made where there is nobody.
            let users = config.vhosts.users_for(default.vhost.as_str());
            until = until.max(environment.access.add_users_of(&default.vhost, users));
            until = until.max(environment.vhosts.create_default(default.vhost.clone()));
        }
        // When it fails the broker is told, as later.
        environment.wait(until);
        match &self.0 {
            Some(loaded) => {
                loaded.import(environment, config.definitions.skip_if_unchanged).map_err(NotMade::Load)
            }
            None => Ok(()),
        }
    }
}
