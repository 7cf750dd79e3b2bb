//! The objects that are answered. They may have further fields, and grow.

use serde_json::Value;

use super::notation::object;

/// Names, and what they have.
const SCHEMAS: &[(&str, &str)] = &[
    ("Failure", "error:string reason:any"),
    ("Page", PAGE),
    ("Rate", "rate:number samples?:[object] avg?:number avg_rate?:number"),
    ("Name", "name:string"),
    ("User", "name:string tags:[string] password_hash?:string hashing_algorithm?:string limits?:{integer}"),
    ("Permission", "user:string vhost:string configure:string write:string read:string"),
    ("TopicPermission", "user:string vhost:string exchange:string write:string read:string"),
    ("Vhost", VHOST),
    ("VhostLimits", "vhost:string value:{integer}"),
    ("UserLimits", "user:string value:{integer}"),
    ("Exchange", EXCHANGE),
    ("Queue", QUEUE),
    ("Binding", BINDING),
    ("Routed", "routed:boolean"),
    ("Got", GOT),
    ("Connection", CONNECTION),
    ("Channel", CHANNEL),
    ("Consumer", CONSUMER),
    ("Policy", "vhost:string name:string pattern:string apply-to:string definition:object priority:integer"),
    ("Parameter", "vhost:string component:string name:string value:any"),
    ("GlobalParameter", "name:string value:any"),
    ("Definitions", "rabbitmq_version?:string queues?:[object] exchanges?:[object] bindings?:[object]"),
    ("Overview", OVERVIEW),
    ("Node", NODE),
    (
        "FeatureFlag",
        "name:string state:string stability:string desc:string doc_url:string provided_by:string",
    ),
    (
        "DeprecatedFeature",
        "name:string desc:string deprecation_phase:string doc_url:string provided_by:string",
    ),
    ("AuthAttempts", ATTEMPTS),
    ("Health", "status:=ok,failed reason?:string"),
    ("Job", "id:string state:string dry_run:boolean done:integer"),
    ("Browsed", "state:string messages:[object] looked_at:integer unreadable:integer next:string|null"),
    ("Scheduled", "id:string due:integer"),
    ("Arguments", "arguments:object changeable:[string]"),
    (
        "Ages",
        "oldest_ready_age:integer|null oldest_unacked_age:integer|null longest_held:integer|null time_in_queue:object",
    ),
    ("App", "running:boolean"),
    ("Route", "exchange:string routing_key:string routed:boolean"),
    ("MoveTo", "queue?:string exchange?:string routing_key?:string"),
    ("Filter", FILTER),
];

const PAGE: &str = "total_count:integer filtered_count:integer item_count:integer page:integer page_size:integer \
                    page_count:integer items:array";
const VHOST: &str = "name:string description?:string tags:[string] default_queue_type?:string tracing:boolean \
                     protected_from_deletion?:boolean messages?:integer message_stats?:object";
const EXCHANGE: &str = "name:string vhost:string type:string durable:boolean auto_delete:boolean internal:boolean \
                        arguments:object policy?:string|null message_stats?:object";
const QUEUE: &str = "name:string vhost:string type:=classic,quorum durable:boolean exclusive:boolean auto_delete:boolean \
                     arguments:object node:string state:string policy?:string|null operator_policy?:string|null \
                     effective_policy_definition?:object delivery_limit?:integer|string messages?:integer \
                     messages_ready?:integer messages_unacknowledged?:integer consumers?:integer memory?:integer \
                     message_bytes?:integer message_stats?:object";
const BINDING: &str = "source:string vhost:string destination:string destination_type:=queue,exchange \
                       routing_key:string arguments:object properties_key:string";
const GOT: &str = "payload:string payload_encoding:=string,base64 payload_bytes:integer redelivered:boolean \
                   exchange:string routing_key:string message_count:integer properties:object|array";
const CONNECTION: &str = "name:string node:string user:string vhost:string protocol:string state:string \
                          connected_at:integer client_properties:object channels?:integer ssl:boolean";
const CHANNEL: &str = "name:string number:integer user:string vhost:string connection_details:object state:string \
                       confirm:boolean transactional:boolean prefetch_count:integer consumer_count:integer \
                       messages_unacknowledged:integer messages_unconfirmed:integer";
const CONSUMER: &str = "consumer_tag:string queue:object channel_details:object ack_required:boolean exclusive:boolean \
                        prefetch_count:integer arguments:object active:boolean";
const OVERVIEW: &str = "rabbitmq_version:string management_version:string product_name:string product_version:string \
                        cluster_name:string node:string object_totals:{integer} queue_totals:object \
                        message_stats:object churn_rates:object listeners:[object]";
const NODE: &str = "name:string running:boolean uptime:integer os_pid:string mem_used:integer mem_limit:integer \
                    mem_alarm:boolean disk_free:integer|null disk_free_limit:integer disk_free_alarm:boolean \
                    fd_used:integer|null fd_total:integer sockets_used:integer enabled_plugins:[string]";
const ATTEMPTS: &str = "protocol:string auth_attempts:integer auth_attempts_failed:integer \
                        auth_attempts_succeeded:integer remote_address?:string username?:string";
const FILTER: &str = "headers?:object properties?:object exchange?:string routing_key?:string body?:string \
                      min_age?:integer max_age?:integer";

/// Every schema by its name.
pub(super) fn all() -> Value {
    Value::Object(SCHEMAS.iter().map(|(name, fields)| ((*name).to_owned(), object(fields))).collect())
}
