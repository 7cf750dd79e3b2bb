//! The table of commands: a row says which programs have it, how it is called, and what does it.

use std::ops::RangeInclusive;

use super::desk::Desk;
use super::output::Found;
use super::trouble::Trouble;
use super::{checks, definitions, listing, node, plugins, queues, report, users, vhosts};

/// A program of RabbitMQ's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Program {
    Ctl,
    Diagnostics,
    Plugins,
    Queues,
    Streams,
    Upgrade,
}

/// Sets of programs, a bit each.
const CTL: u8 = 1;
const DIAGNOSTICS: u8 = 2;
const PLUGINS: u8 = 4;
const QUEUES: u8 = 8;
const STREAMS: u8 = 16;
const UPGRADE: u8 = 32;

/// Any number of arguments.
const MANY: usize = usize::MAX;

impl Program {
    pub(in crate::cli) const ALL: [Self; 6] =
        [Self::Ctl, Self::Diagnostics, Self::Plugins, Self::Queues, Self::Streams, Self::Upgrade];

    pub(in crate::cli) const fn name(self) -> &'static str {
        match self {
            Self::Ctl => "rabbitmqctl",
            Self::Diagnostics => "rabbitmq-diagnostics",
            Self::Plugins => "rabbitmq-plugins",
            Self::Queues => "rabbitmq-queues",
            Self::Streams => "rabbitmq-streams",
            Self::Upgrade => "rabbitmq-upgrade",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|program| program.name() == name)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Ctl => CTL,
            Self::Diagnostics => DIAGNOSTICS,
            Self::Plugins => PLUGINS,
            Self::Queues => QUEUES,
            Self::Streams => STREAMS,
            Self::Upgrade => UPGRADE,
        }
    }

    /// How it is called.
    pub(super) fn usage(self) -> String {
        let name = self.name();
        format!("{name} [--quiet] [--vhost <vhost>] [--formatter <name>] <command> [<argument> ...]")
    }

    /// Its commands.
    fn commands(self) -> impl Iterator<Item = &'static Command> {
        COMMANDS.iter().filter(move |command| command.programs & self.bit() != 0)
    }

    /// All that it can do, a line each.
    pub(super) fn help(self) -> String {
        let lines: Vec<String> =
            self.commands().map(|command| format!("   {:<38}{}\n", command.name, command.about)).collect();
        format!(
            "Usage\n\n{}\n\nAvailable commands:\n\n{}\n'{} help <command>' says more of one. Formatters: table, \
             pretty_table, csv, json, json_stream, erlang.\nThe broker is found on this machine, or where LEVERET_URL \
             says, such as http://user:password@host:15672.\n'leveret --help' tells what else there is.\n",
            self.usage(),
            lines.concat(),
            self.name(),
        )
    }

    /// The command that somebody may have meant.
    pub(super) fn nearest(self, given: &str) -> Option<&'static str> {
        let near =
            self.commands().map(|command| (crate::config::distance(given, command.name), command.name));
        let (distance, name) = near.min_by_key(|(distance, _)| *distance)?;
        (distance <= given.len() / 3 + 1).then_some(name)
    }
}

/// A command.
pub(super) struct Command {
    programs: u8,
    name: &'static str,
    words: &'static str,
    about: &'static str,
    pub(super) arguments: RangeInclusive<usize>,
    pub(super) switches: &'static [&'static str],
    pub(super) run: fn(&mut Desk) -> Result<Found, Trouble>,
}

impl Command {
    /// How it is called.
    pub(super) fn line(&self, program: Program) -> String {
        let switches: Vec<String> = self.switches.iter().map(|switch| format!(" [--{switch}]")).collect();
        let space = if self.words.is_empty() { "" } else { " " };
        let (name, words) = (self.name, self.words);
        format!("{} [--quiet] [--vhost <vhost>] {name}{space}{words}{}", program.name(), switches.concat())
    }

    pub(super) fn help(&self, program: Program) -> String {
        format!("Usage\n\n{}\n\n{}.\n", self.line(program), self.about)
    }
}

/// The command of a program with this name.
pub(super) fn named(program: Program, name: &str) -> Option<&'static Command> {
    program.commands().find(|command| command.name == name)
}

/// A row of the table, in the order in which it is read.
const fn row(
    programs: u8,
    (name, words): (&'static str, &'static str),
    about: &'static str,
    arguments: RangeInclusive<usize>,
    switches: &'static [&'static str],
    run: fn(&mut Desk) -> Result<Found, Trouble>,
) -> Command {
    Command { programs, name, words, about, arguments, switches, run }
}

/// Every command of every program.
#[rustfmt::skip]
const COMMANDS: &[Command] = &[
    // Users.
    row(CTL, ("add_user", "<username> [<password>]"), "Creates a user, who may do nothing yet", 1..=2, &["pre-hashed-password"], users::add_user),
    row(CTL, ("delete_user", "<username>"), "Deletes a user", 1..=1, &[], users::delete_user),
    row(CTL, ("change_password", "<username> [<password>]"), "Changes the password of a user", 1..=2, &[], users::change_password),
    row(CTL, ("clear_password", "<username>"), "Takes the password of a user away: no login by password", 1..=1, &[], users::clear_password),
    row(CTL, ("authenticate_user", "<username> [<password>]"), "Says whether a user has this password", 1..=2, &[], users::authenticate_user),
    row(CTL, ("hash_password", "[<password>]"), "Shows what is stored of a password", 0..=1, &[], users::hash_password),
    row(CTL, ("set_user_tags", "<username> [<tag> ...]"), "Sets what a user may manage", 1..=MANY, &[], users::set_user_tags),
    row(CTL | DIAGNOSTICS, ("list_users", ""), "Lists users", 0..=0, &[], users::list_users),
    row(CTL, ("set_permissions", "<username> <configure> <write> <read>"), "Sets what a user may do in a virtual host, by patterns", 4..=4, &[], users::set_permissions),
    row(CTL, ("clear_permissions", "<username>"), "Takes the permissions of a user in a virtual host away", 1..=1, &[], users::clear_permissions),
    row(CTL | DIAGNOSTICS, ("list_permissions", ""), "Lists who may do what in a virtual host", 0..=0, &[], users::list_permissions),
    row(CTL | DIAGNOSTICS, ("list_user_permissions", "<username>"), "Lists what a user may do, by virtual host", 1..=1, &[], users::list_user_permissions),
    row(CTL, ("set_topic_permissions", "<username> <exchange> <write> <read>"), "Sets the routing keys that a user may use at a topic exchange", 4..=4, &[], users::set_topic_permissions),
    row(CTL, ("clear_topic_permissions", "<username> [<exchange>]"), "Takes these away", 1..=2, &[], users::clear_topic_permissions),
    row(CTL, ("list_topic_permissions", ""), "Lists them for a virtual host", 0..=0, &[], users::list_topic_permissions),
    row(CTL, ("list_user_topic_permissions", "<username>"), "Lists them for a user", 1..=1, &[], users::list_user_topic_permissions),
    row(CTL, ("set_user_limits", "<username> <definition>"), "Sets limits of a user, such as {\"max-connections\": 5}", 2..=2, &[], users::set_user_limits),
    row(CTL, ("clear_user_limits", "<username> <limit or all>"), "Takes a limit of a user away", 2..=2, &[], users::clear_user_limits),
    row(CTL, ("list_user_limits", ""), "Lists limits of users", 0..=0, &["user", "global"], users::list_user_limits),
    // Virtual hosts.
    row(CTL, ("add_vhost", "<vhost>"), "Creates a virtual host", 1..=1, &["description", "tags", "default-queue-type"], vhosts::add_vhost),
    row(CTL, ("delete_vhost", "<vhost>"), "Deletes a virtual host with all that is in it", 1..=1, &[], vhosts::delete_vhost),
    row(CTL, ("update_vhost_metadata", "<vhost>"), "Changes description, tags or default queue type", 1..=1, &["description", "tags", "default-queue-type"], vhosts::update_vhost_metadata),
    row(CTL | DIAGNOSTICS, ("list_vhosts", "[<column> ...]"), "Lists virtual hosts", 0..=MANY, &[], vhosts::list_vhosts),
    row(CTL, ("set_vhost_limits", "<definition>"), "Sets limits of a virtual host, such as {\"max-queues\": 50}", 1..=1, &[], vhosts::set_vhost_limits),
    row(CTL, ("clear_vhost_limits", ""), "Takes the limits of a virtual host away", 0..=0, &[], vhosts::clear_vhost_limits),
    row(CTL, ("list_vhost_limits", ""), "Lists limits of virtual hosts", 0..=0, &["global"], vhosts::list_vhost_limits),
    row(CTL, ("trace_on", ""), "Has copies of all messages go to amq.rabbitmq.trace", 0..=0, &[], vhosts::trace_on),
    row(CTL, ("trace_off", ""), "Ends that", 0..=0, &[], vhosts::trace_off),
    // Policies and parameters.
    row(CTL, ("set_policy", "<name> <pattern> <definition>"), "Sets a policy for what a pattern matches", 3..=3, &["priority", "apply-to"], vhosts::set_policy),
    row(CTL, ("clear_policy", "<name>"), "Deletes a policy", 1..=1, &[], vhosts::clear_policy),
    row(CTL | DIAGNOSTICS, ("list_policies", ""), "Lists policies", 0..=0, &[], vhosts::list_policies),
    row(CTL, ("set_operator_policy", "<name> <pattern> <definition>"), "Sets a policy that users cannot exceed", 3..=3, &["priority", "apply-to"], vhosts::set_operator_policy),
    row(CTL, ("clear_operator_policy", "<name>"), "Deletes one", 1..=1, &[], vhosts::clear_operator_policy),
    row(CTL | DIAGNOSTICS, ("list_operator_policies", ""), "Lists them", 0..=0, &[], vhosts::list_operator_policies),
    row(CTL, ("set_parameter", "<component> <name> <value>"), "Sets a parameter", 3..=3, &[], vhosts::set_parameter),
    row(CTL, ("clear_parameter", "<component> <name>"), "Deletes a parameter", 2..=2, &[], vhosts::clear_parameter),
    row(CTL, ("list_parameters", ""), "Lists parameters", 0..=0, &[], vhosts::list_parameters),
    row(CTL, ("set_global_parameter", "<name> <value>"), "Sets a parameter of the whole broker", 2..=2, &[], vhosts::set_global_parameter),
    row(CTL, ("clear_global_parameter", "<name>"), "Deletes one", 1..=1, &[], vhosts::clear_global_parameter),
    row(CTL, ("list_global_parameters", ""), "Lists them", 0..=0, &[], vhosts::list_global_parameters),
    // Lists.
    row(CTL | DIAGNOSTICS, ("list_queues", "[<column> ...]"), "Lists queues", 0..=MANY, &["online", "offline", "local"], listing::list_queues),
    row(CTL | DIAGNOSTICS, ("list_unresponsive_queues", "[<column> ...]"), "Lists queues that were lost to a fault", 0..=MANY, &["local", "all"], listing::list_unresponsive_queues),
    row(CTL | DIAGNOSTICS, ("list_exchanges", "[<column> ...]"), "Lists exchanges", 0..=MANY, &[], listing::list_exchanges),
    row(CTL | DIAGNOSTICS, ("list_bindings", "[<column> ...]"), "Lists bindings", 0..=MANY, &[], listing::list_bindings),
    row(CTL | DIAGNOSTICS, ("list_connections", "[<column> ...]"), "Lists connections", 0..=MANY, &[], listing::list_connections),
    row(CTL | DIAGNOSTICS, ("list_channels", "[<column> ...]"), "Lists channels", 0..=MANY, &[], listing::list_channels),
    row(CTL | DIAGNOSTICS, ("list_consumers", "[<column> ...]"), "Lists consumers", 0..=MANY, &[], listing::list_consumers),
    // Queues and connections.
    row(CTL | QUEUES, ("purge_queue", "<queue>"), "Drops the ready messages of a queue", 1..=1, &[], queues::purge_queue),
    row(CTL | QUEUES, ("delete_queue", "<queue>"), "Deletes a queue", 1..=1, &["if-empty", "if-unused"], queues::delete_queue),
    row(CTL, ("close_connection", "<pid or name> <reason>"), "Closes a connection", 2..=2, &[], queues::close_connection),
    row(CTL, ("close_all_connections", "<reason>"), "Closes the connections to a virtual host", 1..=1, &["global", "limit", "per-connection-delay"], queues::close_all_connections),
    row(CTL, ("close_all_user_connections", "<username> <reason>"), "Closes the connections of a user", 2..=2, &["limit", "per-connection-delay"], queues::close_all_user_connections),
    row(QUEUES, ("peek", "<queue> <position>"), "Shows a message of a queue and leaves it there", 2..=2, &[], queues::peek),
    row(QUEUES, ("quorum_status", "<queue>"), "Shows where a quorum queue is", 1..=1, &[], queues::quorum_status),
    row(QUEUES, ("rebalance", "<type>"), "Spreads queues over the nodes, of which there is one", 1..=1, &["vhost-pattern", "queue-pattern"], node::nothing_to_do),
    row(QUEUES | UPGRADE | DIAGNOSTICS, ("check_if_node_is_quorum_critical", ""), "Passes: no other node depends on this one", 0..=0, &[], checks::check_if_node_is_quorum_critical),
    row(QUEUES | UPGRADE | DIAGNOSTICS, ("check_if_node_is_mirror_sync_critical", ""), "Passes likewise", 0..=0, &[], checks::check_if_node_is_quorum_critical),
    // The broker.
    row(CTL | DIAGNOSTICS, ("status", ""), "Shows the broker at a glance", 0..=0, &["unit"], report::status),
    row(CTL | DIAGNOSTICS, ("cluster_status", ""), "Shows the one node that there is", 0..=0, &[], report::cluster_status),
    row(CTL | DIAGNOSTICS, ("report", ""), "Shows all that helps to find a fault", 0..=0, &["unit"], report::report),
    row(CTL | DIAGNOSTICS, ("ping", ""), "Succeeds if the broker answers", 0..=0, &[], node::ping),
    row(CTL, ("await_startup", ""), "Waits until the broker serves clients", 0..=0, &[], node::await_startup),
    row(CTL | DIAGNOSTICS, ("wait", "[<pid file>]"), "Waits for a broker that is being started", 0..=1, &["pid"], node::wait),
    row(CTL, ("await_online_nodes", "<count>"), "Waits for nodes, of which there is one", 1..=1, &[], node::await_online_nodes),
    row(CTL, ("stop", "[<pid file>]"), "Stops the broker, and waits until it has ended", 0..=1, &[], node::stop),
    row(CTL, ("shutdown", ""), "Stops the broker, and waits until it has ended", 0..=0, &[], node::stop),
    row(CTL, ("stop_app", ""), "Closes the AMQP side; the HTTP API stays", 0..=0, &[], node::stop_app),
    row(CTL, ("start_app", ""), "Opens it again", 0..=0, &[], node::start_app),
    row(CTL, ("reset", ""), "Deletes everything: virtual hosts, users, queues, messages", 0..=0, &[], node::reset),
    row(CTL, ("force_reset", ""), "Deletes everything likewise", 0..=0, &[], node::reset),
    row(CTL | DIAGNOSTICS, ("environment", ""), "Shows the configuration that holds", 0..=0, &[], node::environment),
    row(CTL, ("set_log_level", "<level>"), "Sets what is logged until the configuration is read again", 1..=1, &[], node::set_log_level),
    row(CTL, ("rotate_logs", ""), "Opens the log file anew", 0..=0, &[], node::rotate_logs),
    row(CTL, ("set_vm_memory_high_watermark", "<share> or absolute <size>"), "Sets from how much memory on publishers are blocked", 1..=2, &[], node::set_vm_memory_high_watermark),
    row(CTL, ("set_disk_free_limit", "<size> or mem_relative <factor>"), "Sets with how little free space publishers are blocked", 1..=2, &[], node::set_disk_free_limit),
    row(CTL, ("set_cluster_name", "<name>"), "Sets the name that clients are told", 1..=1, &[], node::set_cluster_name),
    row(CTL | DIAGNOSTICS, ("list_feature_flags", "[<column> ...]"), "Lists what tools ask whether it is there", 0..=MANY, &[], node::list_feature_flags),
    row(CTL, ("enable_feature_flag", "<name or all>"), "Succeeds: all of them are on", 1..=1, &["experimental", "opt-in"], node::enable_feature_flag),
    row(CTL, ("force_gc", ""), "Does nothing: there is no garbage", 0..=0, &[], node::force_gc),
    row(CTL, ("export_definitions", "<file or ->"), "Writes everything but messages as JSON", 1..=1, &["format"], definitions::export_definitions),
    row(CTL, ("import_definitions", "[<file or ->]"), "Reads it, and makes what is not there", 0..=1, &["format", "skip-if-unchanged"], definitions::import_definitions),
    row(CTL | DIAGNOSTICS | PLUGINS | QUEUES | STREAMS | UPGRADE, ("version", ""), "Shows the version of RabbitMQ that this stands in for", 0..=0, &[], node::version),
    // Diagnostics.
    row(DIAGNOSTICS, ("check_running", ""), "Succeeds if the broker serves clients", 0..=0, &[], checks::check_running),
    row(DIAGNOSTICS, ("is_running", ""), "Says whether it does", 0..=0, &[], checks::is_running_or_not),
    row(DIAGNOSTICS, ("is_booting", ""), "Says whether it is starting", 0..=0, &[], checks::is_booting),
    row(DIAGNOSTICS, ("check_local_alarms", ""), "Succeeds if no alarm is raised", 0..=0, &[], checks::check_local_alarms),
    row(DIAGNOSTICS, ("check_alarms", ""), "Succeeds if no alarm is raised", 0..=0, &[], checks::check_alarms),
    row(DIAGNOSTICS, ("alarms", ""), "Shows the alarms that are raised", 0..=0, &[], checks::list_alarms),
    row(DIAGNOSTICS, ("check_virtual_hosts", ""), "Succeeds if all virtual hosts are there", 0..=0, &[], checks::check_virtual_hosts),
    row(DIAGNOSTICS, ("check_port_connectivity", ""), "Succeeds if all ports accept", 0..=0, &["address"], checks::check_port_connectivity),
    row(DIAGNOSTICS, ("check_port_listener", "<port>"), "Succeeds if the broker listens at a port", 1..=1, &[], checks::check_port_listener),
    row(DIAGNOSTICS, ("check_protocol_listener", "<protocol>"), "Succeeds if it speaks a protocol", 1..=1, &[], checks::check_protocol_listener),
    row(DIAGNOSTICS, ("check_certificate_expiration", ""), "Succeeds if no certificate expires within a time", 0..=0, &["within", "unit"], checks::check_certificate_expiration),
    row(CTL | DIAGNOSTICS, ("node_health_check", ""), "Succeeds if it serves clients and no alarm is raised", 0..=0, &[], checks::node_health_check),
    row(DIAGNOSTICS, ("listeners", ""), "Shows what is spoken where", 0..=0, &[], checks::listeners),
    row(DIAGNOSTICS, ("tls_versions", ""), "Lists the versions of TLS that can be spoken", 0..=0, &[], checks::tls_versions),
    row(DIAGNOSTICS, ("cipher_suites", ""), "Lists the cipher suites that can be spoken", 0..=0, &["format", "all"], checks::cipher_suites),
    row(DIAGNOSTICS, ("memory_breakdown", ""), "Shows what takes the memory", 0..=0, &["unit"], checks::memory_breakdown),
    row(DIAGNOSTICS, ("server_version", ""), "Shows the version of RabbitMQ that the broker stands in for", 0..=0, &[], node::server_version),
    row(DIAGNOSTICS, ("erlang_version", ""), "Shows what stands in for the version of Erlang", 0..=0, &[], node::erlang_version),
    row(DIAGNOSTICS, ("log_location", ""), "Shows where the log file is", 0..=0, &["all"], checks::log_location),
    row(DIAGNOSTICS, ("log_tail", ""), "Shows the end of the log file", 0..=0, &["number"], checks::log_tail),
    row(DIAGNOSTICS, ("os_env", ""), "Shows the environment variables that concern the broker", 0..=0, &[], checks::os_env),
    // Plugins.
    row(PLUGINS, ("list", "[<pattern>]"), "Lists what plugins do for RabbitMQ", 0..=1, &["minimal", "enabled", "implicitly-enabled"], plugins::list),
    row(PLUGINS, ("enable", "<plugin> ..."), "Succeeds for what is built in, and says what is not there", 1..=MANY, &["offline", "online"], plugins::enable),
    row(PLUGINS, ("disable", "<plugin> ..."), "Changes nothing: what is built in stays", 1..=MANY, &["offline", "online"], plugins::disable),
    row(PLUGINS, ("set", "[<plugin> ...]"), "Succeeds likewise", 0..=MANY, &["offline", "online"], plugins::enable),
    row(PLUGINS, ("is_enabled", "<plugin> ..."), "Succeeds if it is built in", 1..=MANY, &["offline", "online"], plugins::is_enabled),
    row(PLUGINS, ("directories", ""), "Shows that there are none", 0..=0, &["offline", "online"], plugins::directories),
    // Upgrades.
    row(UPGRADE, ("await_online_quorum_plus_one", ""), "Succeeds: there is one node", 0..=0, &[], node::nothing_to_do),
    row(UPGRADE, ("await_online_synchronized_mirror", ""), "Succeeds likewise", 0..=0, &[], node::nothing_to_do),
    row(UPGRADE, ("drain", ""), "Closes the AMQP side, as before an upgrade", 0..=0, &[], node::stop_app),
    row(UPGRADE, ("revive", ""), "Opens it again", 0..=0, &[], node::start_app),
    row(UPGRADE, ("post_upgrade", ""), "Succeeds: nothing has to be done after an upgrade", 0..=0, &[], node::nothing_to_do),
];

#[cfg(test)]
mod tests {
    use super::super::words::Words;
    use super::*;

    #[test]
    fn a_name_is_a_command_once_in_each_program_and_its_switches_are_known() {
        for program in Program::ALL {
            let mut names: Vec<&str> = program.commands().map(|command| command.name).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", program.name());
            assert!(all > 0);
        }
        for command in COMMANDS {
            let switches = command.switches.iter().map(|switch| format!("--{switch}=true"));
            let words = Words::read(switches).unwrap();
            assert_eq!(words.check(command.switches), Ok(()), "{}", command.name);
            assert!(command.arguments.start() <= command.arguments.end());
        }
    }

    #[test]
    fn a_wrong_name_has_a_near_one() {
        assert_eq!(Program::Ctl.nearest("lst_queues"), Some("list_queues"));
        assert_eq!(Program::Diagnostics.nearest("pnig"), Some("ping"));
        assert_eq!(Program::Ctl.nearest("xyzzy"), None);
    }
}
