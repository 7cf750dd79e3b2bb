//! Exchanges, queues, bindings, messages, connections, channels and consumers.

use super::described::{Described, delete, get, post, put};

pub(super) const DESCRIBED: &[Described] = &[
    get("/api/exchanges", "All exchanges.", "200 [Exchange]").paged(),
    get("/api/exchanges/{vhost}", "The exchanges there.", "200 [Exchange]").paged(),
    get("/api/exchanges/{vhost}/{exchange}", "An exchange.", "200 Exchange"),
    put("/api/exchanges/{vhost}/{exchange}", "Declares an exchange.", EXCHANGE),
    delete("/api/exchanges/{vhost}/{exchange}", "Deletes an exchange.").query("if-unused?:boolean"),
    get("/api/exchanges/{vhost}/{exchange}/bindings/source", "The bindings from it.", "200 [Binding]")
        .listed(),
    get("/api/exchanges/{vhost}/{exchange}/bindings/destination", "The bindings to it.", "200 [Binding]")
        .listed(),
    post(
        "/api/exchanges/{vhost}/{exchange}/publish",
        "Publishes a message; 200 also when no queue took it.",
        "200 Routed",
    )
    .body(PUBLISH),
    get("/api/queues", "All queues.", "200 [Queue]").query(TOTALS).paged(),
    get("/api/queues/detailed", "All queues: the same, since all is told of each.", "200 [Queue]")
        .query(TOTALS)
        .paged(),
    get("/api/queues/{vhost}", "The queues there.", "200 [Queue]").query(TOTALS).paged(),
    get("/api/queues/{vhost}/{queue}", "A queue.", "200 Queue").query(TOTALS),
    put("/api/queues/{vhost}/{queue}", "Declares a queue.", QUEUE),
    delete("/api/queues/{vhost}/{queue}", "Deletes a queue.").query("if-unused?:boolean if-empty?:boolean"),
    get("/api/queues/{vhost}/{queue}/bindings", "The bindings to it.", "200 [Binding]").listed(),
    delete("/api/queues/{vhost}/{queue}/contents", "Deletes its ready messages."),
    post(
        "/api/queues/{vhost}/{queue}/get",
        "Gets messages, and puts them back unless it is said not to.",
        "200 [Got]",
    )
    .body(GET),
    post("/api/queues/{vhost}/{queue}/actions", "What mirrors were told; there are none.", "204")
        .body("action:=sync,cancel_sync"),
    get("/api/bindings", "All bindings.", "200 [Binding]").listed(),
    get("/api/bindings/{vhost}", "The bindings there.", "200 [Binding]").listed(),
    get(
        "/api/bindings/{vhost}/e/{exchange}/q/{destination}",
        "Those between an exchange and a queue.",
        "200 [Binding]",
    )
    .listed(),
    post(
        "/api/bindings/{vhost}/e/{exchange}/q/{destination}",
        "Binds a queue; the location ends with its properties_key.",
        "201",
    )
    .body(BINDING),
    get("/api/bindings/{vhost}/e/{exchange}/q/{destination}/{properties_key}", "A binding.", "200 Binding"),
    delete("/api/bindings/{vhost}/e/{exchange}/q/{destination}/{properties_key}", "Takes it away."),
    get(
        "/api/bindings/{vhost}/e/{exchange}/e/{destination}",
        "Those between two exchanges.",
        "200 [Binding]",
    )
    .listed(),
    post("/api/bindings/{vhost}/e/{exchange}/e/{destination}", "Binds an exchange.", "201").body(BINDING),
    get("/api/bindings/{vhost}/e/{exchange}/e/{destination}/{properties_key}", "A binding.", "200 Binding"),
    delete("/api/bindings/{vhost}/e/{exchange}/e/{destination}/{properties_key}", "Takes it away."),
    get("/api/connections", "The user's connections, or all.", "200 [Connection]").paged(),
    get("/api/connections/{connection}", "A connection.", "200 Connection"),
    delete("/api/connections/{connection}", "Closes it; X-Reason says why."),
    get("/api/connections/username/{user}", "A user's connections.", "200 [Connection]").listed(),
    delete("/api/connections/username/{user}", "Closes them."),
    get("/api/vhosts/{vhost}/connections", "The connections there.", "200 [Connection]").paged(),
    get("/api/connections/{connection}/channels", "Its channels.", "200 [object]").paged(),
    get("/api/channels", "The channels of the user's connections, or all.", "200 [object]").paged(),
    get("/api/channels/{channel}", "A channel, with its consumers.", "200 object"),
    get("/api/vhosts/{vhost}/channels", "The channels there.", "200 [object]").paged(),
    get("/api/consumers", "All consumers.", "200 [object]").listed(),
    get("/api/consumers/{vhost}", "The consumers there.", "200 [object]").listed(),
];

const EXCHANGE: &str =
    "type?:string durable?:boolean auto_delete?:boolean internal?:boolean arguments?:object";
const QUEUE: &str = "durable?:boolean auto_delete?:boolean arguments?:object";
const TOTALS: &str = "disable_stats?:boolean enable_queue_totals?:boolean";
const BINDING: &str = "routing_key?:string arguments?:object";
const PUBLISH: &str = "routing_key:string properties:object payload:string payload_encoding:=string,base64";
const GET: &str = "count:integer encoding:=auto,base64 truncate?:integer \
                   ackmode:=ack_requeue_true,ack_requeue_false,reject_requeue_true,reject_requeue_false";
