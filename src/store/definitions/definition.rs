//! What is defined, as it is written down: virtual hosts, exchanges, queues and bindings here, the rest beside.

use leveret_protocol::table::{Table, TableBuf};

use super::access::AccessDefinition;
use super::fields::{FieldWriter, Fields, Malformed};
use super::key::{KeyReader, KeyWriter, Kind};
use super::parameter::{GlobalParameterDefinition, ParameterDefinition};
use super::policy::PolicyDefinition;
use super::vhost::VhostDefinition;
use crate::exchange::ExchangeOptions;
use crate::name::{ExchangeName, QueueName, VhostName};
use crate::place::QueueId;
use crate::policy::PolicyKind;

/// A thing that outlives the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    /// A virtual host.
    Vhost(VhostDefinition),
    /// A durable exchange.
    Exchange(ExchangeDefinition),
    /// A durable queue.
    Queue(QueueDefinition),
    /// A binding between two of them.
    Binding(BindingDefinition),
    /// A policy or an operator policy.
    Policy(PolicyDefinition),
    /// A parameter of a virtual host.
    Parameter(ParameterDefinition),
    /// A parameter of the broker.
    GlobalParameter(GlobalParameterDefinition),
    /// A user or a permission.
    Access(AccessDefinition),
}

/// A durable exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeDefinition {
    /// Its virtual host.
    pub vhost: VhostName,
    /// Its name.
    pub name: ExchangeName,
    /// What it was declared with.
    pub options: ExchangeOptions,
}

/// A durable queue, which is never exclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDefinition {
    /// Its virtual host.
    pub vhost: VhostName,
    /// Its name.
    pub name: QueueName,
    /// Which queue: by this its messages are known.
    pub id: QueueId,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// The arguments as they were declared, or changed since.
    pub arguments: TableBuf,
    /// Whether nothing is delivered from it.
    pub paused: bool,
}

/// Where a binding leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BoundTo {
    /// To a queue.
    Queue(QueueName),
    /// To an exchange.
    Exchange(ExchangeName),
}

/// A binding between a durable exchange and something durable. All of it is its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingDefinition {
    /// Its virtual host.
    pub vhost: VhostName,
    /// The exchange that it leads from.
    pub source: ExchangeName,
    /// Where it leads.
    pub to: BoundTo,
    /// The binding key.
    pub binding_key: String,
    /// The arguments, in the order of their names.
    pub arguments: TableBuf,
}

const TO_QUEUE: u8 = 0;
const TO_EXCHANGE: u8 = 1;

mod tag {
    pub(super) const TYPE: u8 = 1;
    pub(super) const ID: u8 = 1;
    pub(super) const AUTO_DELETE: u8 = 2;
    pub(super) const INTERNAL: u8 = 3;
    pub(super) const ARGUMENTS: u8 = 4;
    pub(super) const PAUSED: u8 = 5;
}

/// The key of a virtual host.
pub fn vhost_key(name: &str) -> Vec<u8> {
    KeyWriter::new(Kind::Vhost).name(name).finish()
}

/// The key of an exchange.
pub fn exchange_key(vhost: &str, name: &str) -> Vec<u8> {
    KeyWriter::new(Kind::Exchange).name(vhost).name(name).finish()
}

/// The key of a queue.
pub fn queue_key(vhost: &str, name: &str) -> Vec<u8> {
    KeyWriter::new(Kind::Queue).name(vhost).name(name).finish()
}

impl Definition {
    /// Which thing it defines.
    pub fn key(&self) -> Vec<u8> {
        match self {
            Self::Vhost(vhost) => vhost_key(vhost.name.as_str()),
            Self::Exchange(exchange) => exchange_key(exchange.vhost.as_str(), exchange.name.as_str()),
            Self::Queue(queue) => queue_key(queue.vhost.as_str(), queue.name.as_str()),
            Self::Binding(binding) => binding.key(),
            Self::Policy(policy) => policy.key(),
            Self::Parameter(parameter) => parameter.key(),
            Self::GlobalParameter(parameter) => parameter.key(),
            Self::Access(access) => access.key(),
        }
    }

    /// What it is defined to be.
    pub fn value(&self) -> Vec<u8> {
        let fields = FieldWriter::new();
        match self {
            Self::Vhost(vhost) => return vhost.value(),
            Self::Binding(_) => fields,
            Self::Exchange(ExchangeDefinition { options, .. }) => fields
                .bytes(tag::TYPE, options.exchange_type.as_str().as_bytes())
                .flag(tag::AUTO_DELETE, options.auto_delete)
                .flag(tag::INTERNAL, options.internal)
                .bytes(tag::ARGUMENTS, options.arguments.as_bytes()),
            Self::Queue(queue) => fields
                .bytes(tag::ID, &queue.id.number().to_le_bytes())
                .flag(tag::AUTO_DELETE, queue.auto_delete)
                .bytes(tag::ARGUMENTS, queue.arguments.as_bytes())
                .flag(tag::PAUSED, queue.paused),
            Self::Policy(policy) => return policy.value(),
            Self::Parameter(parameter) => return parameter.value(),
            Self::GlobalParameter(parameter) => return parameter.value(),
            Self::Access(access) => return access.value(),
        }
        .finish()
    }

    /// Reads a definition; nothing for one of a kind that only a later version knows.
    pub fn decode(key: &[u8], value: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(kind) = Kind::of(key) else { return Ok(None) };
        let mut names = KeyReader::new(key);
        let fields = Fields::parse(value)?;
        let mut name = || names.name().ok_or(Malformed::Key);
        let definition = match kind {
            Kind::Vhost => Self::Vhost(VhostDefinition::of(name()?.into(), fields)?),
            Kind::Exchange => {
                let (vhost, name) = (name()?.into(), name()?.into());
                Self::Exchange(ExchangeDefinition { vhost, name, options: exchange_options(fields)? })
            }
            Kind::Queue => {
                let (vhost, name) = (name()?.into(), name()?.into());
                let auto_delete = fields.flag(tag::AUTO_DELETE);
                let (id, arguments) = (queue_id(fields)?, arguments(fields)?);
                let paused = fields.flag(tag::PAUSED);
                Self::Queue(QueueDefinition { vhost, name, id, auto_delete, arguments, paused })
            }
            Kind::Binding => return BindingDefinition::decode(names).map(|found| Some(Self::Binding(found))),
            Kind::Policy => {
                let policy = PolicyDefinition::decode(PolicyKind::User, names, fields)?;
                return Ok(Some(Self::Policy(policy)));
            }
            Kind::OperatorPolicy => {
                let policy = PolicyDefinition::decode(PolicyKind::Operator, names, fields)?;
                return Ok(Some(Self::Policy(policy)));
            }
            Kind::Parameter => {
                return ParameterDefinition::decode(names, fields).map(|found| Some(Self::Parameter(found)));
            }
            Kind::GlobalParameter => {
                let parameter = GlobalParameterDefinition::decode(names, fields)?;
                return Ok(Some(Self::GlobalParameter(parameter)));
            }
            Kind::User | Kind::Permission | Kind::TopicPermission => {
                let access = AccessDefinition::decode(kind, names, fields)?;
                return Ok(access.map(Self::Access));
            }
        };
        names.end().ok_or(Malformed::Key)?;
        Ok(Some(definition))
    }
}

impl BindingDefinition {
    fn key(&self) -> Vec<u8> {
        let (mark, name) = match &self.to {
            BoundTo::Queue(name) => (TO_QUEUE, name.as_str()),
            BoundTo::Exchange(name) => (TO_EXCHANGE, name.as_str()),
        };
        KeyWriter::new(Kind::Binding)
            .name(self.vhost.as_str())
            .name(self.source.as_str())
            .mark(mark)
            .name(name)
            .name(&self.binding_key)
            .rest(self.arguments.as_bytes())
    }

    fn decode(mut key: KeyReader<'_>) -> Result<Self, Malformed> {
        let read = |key: &mut KeyReader<'_>| key.name().ok_or(Malformed::Key);
        let (vhost, source) = (read(&mut key)?.into(), read(&mut key)?.into());
        let mark = key.mark();
        let name = read(&mut key)?;
        let to = match mark {
            Some(TO_QUEUE) => BoundTo::Queue(name.into()),
            Some(TO_EXCHANGE) => BoundTo::Exchange(name.into()),
            _ => return Err(Malformed::Key),
        };
        let binding_key = read(&mut key)?;
        let arguments = Table::parse(key.rest()).map_err(|_| Malformed::Key)?.to_owned();
        Ok(Self { vhost, source, to, binding_key, arguments })
    }
}

fn queue_id(fields: Fields<'_>) -> Result<QueueId, Malformed> {
    let id = fields.get(tag::ID).and_then(|bytes| bytes.try_into().ok());
    id.map(|id| QueueId::stored(u64::from_le_bytes(id))).ok_or(Malformed::Field("id"))
}

fn arguments(fields: Fields<'_>) -> Result<TableBuf, Malformed> {
    let bytes = fields.get(tag::ARGUMENTS).unwrap_or_default();
    Table::parse(bytes).map(Table::to_owned).map_err(|_| Malformed::Field("arguments"))
}

fn exchange_options(fields: Fields<'_>) -> Result<ExchangeOptions, Malformed> {
    let arguments = arguments(fields)?;
    let type_name = fields.get(tag::TYPE).and_then(|name| str::from_utf8(name).ok());
    let options = ExchangeOptions::parse(type_name.unwrap_or_default(), arguments.as_table())
        .map_err(|_| Malformed::Field("type or alternate exchange"))?;
    Ok(ExchangeOptions {
        durable: true,
        auto_delete: fields.flag(tag::AUTO_DELETE),
        internal: fields.flag(tag::INTERNAL),
        ..options
    })
}

#[cfg(test)]
mod tests {
    use leveret_protocol::table::TableBuilder;
    use proptest::prelude::*;

    use super::*;
    use crate::auth::{Hashing, PasswordHash, Permission, Tags, TopicPermission, User, UserLimits};
    use crate::config::Durability;
    use crate::exchange::ExchangeType;
    use crate::policy::{Component, Policy};
    use crate::rate::{RateLimit, RateOverflow};
    use crate::store::definitions::VhostMetadata;

    fn arguments() -> impl Strategy<Value = TableBuf> {
        prop::collection::vec(("[a-z\u{0}]{0,3}", any::<i32>()), 0..3).prop_map(|entries| {
            entries
                .into_iter()
                .fold(TableBuilder::new(), |table, (name, value)| table.int(&name, value))
                .finish()
        })
    }

    fn definition() -> impl Strategy<Value = Definition> {
        let name = || "[a-z/.\u{0}ü]{0,5}";
        let durability = prop::option::of(prop::sample::select(Durability::ALL.to_vec()));
        let exchange_type = prop::sample::select(ExchangeType::ALL.to_vec());
        prop_oneof![
            (name(), durability, prop::collection::vec("[a-z,]{0,3}", 0..3), any::<(Option<u64>, bool)>())
                .prop_map(|(name, durability, tags, (limit, is_quorum))| {
                    let metadata = VhostMetadata {
                        description: tags.join(" "),
                        tags,
                        default_queue_type: is_quorum.then(|| "quorum".to_owned()),
                        max_connections: limit,
                        max_queues: limit.map(|limit| limit / 2),
                        publish_rate: RateLimit::new(limit, None, RateOverflow::Block),
                        protected_from_deletion: is_quorum,
                    };
                    Definition::Vhost(VhostDefinition { name: name.into(), durability, metadata })
                }),
            access(),
            (name(), name(), exchange_type, any::<(bool, bool)>(), arguments()).prop_map(
                |(vhost, name, exchange_type, (auto_delete, internal), mut arguments)| {
                    if exchange_type == ExchangeType::DelayedMessage {
                        let table = TableBuilder::new().entries(arguments.as_table());
                        arguments = table.string("x-delayed-type", "headers").finish();
                    }
                    if exchange_type == ExchangeType::MessageDeduplication {
                        let table = TableBuilder::new().entries(arguments.as_table());
                        arguments = table.int("x-cache-size", 5).finish();
                    }
                    let options = ExchangeOptions::durable(exchange_type);
                    let options = ExchangeOptions { auto_delete, internal, arguments, ..options };
                    Definition::Exchange(ExchangeDefinition {
                        vhost: vhost.into(),
                        name: name.into(),
                        options,
                    })
                }
            ),
            (name(), name(), any::<u64>(), any::<(bool, bool)>(), arguments()).prop_map(
                |(vhost, name, id, (auto_delete, paused), arguments)| {
                    let id = QueueId::stored(id);
                    Definition::Queue(QueueDefinition {
                        vhost: vhost.into(),
                        name: name.into(),
                        id,
                        auto_delete,
                        arguments,
                        paused,
                    })
                }
            ),
            (name(), name(), any::<bool>(), any::<i64>(), any::<u64>()).prop_map(
                |(vhost, name, operator, priority, length)| {
                    let kind = if operator { PolicyKind::Operator } else { PolicyKind::User };
                    let definition = serde_json::json!({ "max-length": length });
                    let policy =
                        Policy::parse(kind, &name, "^a(b|c)", "queues", priority, &definition).unwrap();
                    Definition::Policy(PolicyDefinition { vhost: vhost.into(), kind, policy })
                }
            ),
            (name(), name(), any::<(bool, i64)>()).prop_map(|(vhost, name, (flag, number))| {
                let (vhost, component) = (vhost.into(), Component::ALL[usize::from(flag)].clone());
                let (name, value) = (name.into(), serde_json::json!({ "a": [flag, number, null] }));
                Definition::Parameter(ParameterDefinition { vhost, component, name, value })
            }),
            (name(), any::<f64>()).prop_map(|(name, number)| {
                let value = serde_json::json!([number]);
                Definition::GlobalParameter(GlobalParameterDefinition { name: name.into(), value })
            }),
            (name(), name(), name(), any::<bool>(), name(), arguments()).prop_map(
                |(vhost, source, to, queue, binding_key, arguments)| {
                    let to = if queue { BoundTo::Queue(to.into()) } else { BoundTo::Exchange(to.into()) };
                    let (vhost, source) = (vhost.into(), source.into());
                    Definition::Binding(BindingDefinition { vhost, source, to, binding_key, arguments })
                }
            ),
        ]
    }

    fn access() -> impl Strategy<Value = Definition> {
        let name = || "[a-z/.\u{0}ü]{0,5}";
        let pattern = || prop::sample::select(vec!["", ".*", "^a|b", "^{username}\\.", "^(?!amq\\.)"]);
        let hashing = prop::sample::select(Hashing::ALL.to_vec());
        prop_oneof![
            (name(), any::<Option<[u8; 4]>>(), hashing, "[a-z, ]{0,9}", any::<(Option<u64>, Option<u64>)>())
                .prop_map(|(name, salt, hashing, tags, (max_connections, max_channels))| {
                    let password = salt.map(|salt| PasswordHash::new(hashing, salt, &salt));
                    let publish_rate = RateLimit::new(max_connections, max_channels, RateOverflow::Reject);
                    let limits = UserLimits { max_connections, max_channels, publish_rate };
                    let tags = Tags::parse(&tags).unwrap();
                    AccessDefinition::User(User { name: name.into(), password, tags, limits })
                }),
            (name(), name(), pattern(), pattern(), pattern()).prop_map(
                |(user, vhost, configure, write, read)| {
                    let configure = configure.replace("{username}", "");
                    let (write, read) = (write.replace("{username}", ""), read.replace("{username}", ""));
                    let permission = Permission::parse(&configure, &write, &read).unwrap();
                    AccessDefinition::Permission(user.into(), vhost.into(), permission)
                }
            ),
            (name(), name(), name(), pattern(), pattern()).prop_map(
                |(user, vhost, exchange, write, read)| {
                    let (user, vhost) = (user.into(), vhost.into());
                    let topic = TopicPermission::parse(&user, &vhost, exchange.into(), write, read).unwrap();
                    AccessDefinition::TopicPermission(user, vhost, topic)
                }
            ),
        ]
        .prop_map(Definition::Access)
    }

    #[test]
    fn an_alternate_exchange_is_found_again_in_the_arguments() {
        let arguments = TableBuilder::new().string("alternate-exchange", "ae").finish();
        let options = ExchangeOptions::parse("topic", arguments.as_table()).unwrap();
        let options = ExchangeOptions { durable: true, ..options };
        let definition =
            Definition::Exchange(ExchangeDefinition { vhost: "/".into(), name: "e".into(), options });
        assert_eq!(Definition::decode(&definition.key(), &definition.value()), Ok(Some(definition)));
    }

    #[test]
    fn what_a_later_version_wrote_is_known_as_such() {
        let vhost = Definition::Vhost(VhostDefinition { name: "/".into(), ..VhostDefinition::default() });
        assert_eq!(Definition::decode(&[200, 1, 2], &[9]), Ok(None));
        assert_eq!(Definition::decode(&vhost.key(), &[2, 7]), Err(Malformed::Version(2)));
        let mut more = vhost.value();
        more.extend_from_slice(&[77, 1, 0, 0, 0, 5]);
        assert_eq!(Definition::decode(&vhost.key(), &more), Ok(Some(vhost)));
    }

    proptest! {
        #[test]
        fn a_definition_is_read_as_it_was_written(definition in definition()) {
            let decoded = Definition::decode(&definition.key(), &definition.value());
            prop_assert_eq!(decoded, Ok(Some(definition)));
        }

        #[test]
        fn two_things_have_two_keys(first in definition(), second in definition()) {
            if first.key() == second.key() {
                prop_assert_eq!(std::mem::discriminant(&first), std::mem::discriminant(&second));
                if let Definition::Binding(_) = first {
                    prop_assert_eq!(first, second);
                }
            }
        }

        #[test]
        fn any_bytes_are_a_definition_or_none(
            kind in prop_oneof![0..6_u8, 63..72_u8],
            key in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..30),
            value in prop::collection::vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..30),
        ) {
            let mut whole = vec![kind];
            whole.extend(key);
            let mut versioned = vec![1];
            versioned.extend(value);
            let _ = Definition::decode(&whole, &versioned);
        }

        #[test]
        fn a_definition_cut_short_or_changed_is_read_without_a_panic(
            definition in definition(),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let (mut key, mut value) = (definition.key(), definition.value());
            let (in_key, in_value) = (at.index(key.len()), at.index(value.len()));
            key[in_key] ^= 1 << bit;
            let _ = Definition::decode(&key, &definition.value());
            key.truncate(in_key);
            let _ = Definition::decode(&key, &definition.value());
            value[in_value] ^= 1 << bit;
            let _ = Definition::decode(&definition.key(), &value);
            value.truncate(in_value);
            let _ = Definition::decode(&definition.key(), &value);
        }
    }
}
