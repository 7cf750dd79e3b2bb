//! What RabbitMQ does not have.

use super::described::{Described, delete, get, post, put};

pub(super) const DESCRIBED: &[Described] = &[
    get("/api/leveret/openapi.json", "This document.", "200 object"),
    get("/api/leveret/app", "Whether AMQP is served.", "200 App"),
    post("/api/leveret/app/stop", "Serves AMQP no more, and ends nothing else.", "204|503"),
    post(
        "/api/leveret/app/reset",
        "Deletes everything, messages too, and makes what a new broker has; not while AMQP is served.",
        "204|400|412|503",
    ),
    post("/api/leveret/app/start", "Serves AMQP again.", "204|503"),
    post("/api/leveret/authenticate", "Says whether a user has this password.", "200 object")
        .body("username:string password:string"),
    get("/api/leveret/log-level", "What is logged, by category.", "200 object"),
    put(
        "/api/leveret/log-level",
        "Changes it until the configuration is read again.",
        "level:string category?:string",
    )
    .gives("204"),
    get("/api/leveret/log", "The last lines of the log file.", "200 object").query("lines?:integer"),
    post("/api/leveret/reopen-logs", "Opens the log file anew.", "204"),
    put("/api/leveret/memory-limit", "From how much memory on publishers are blocked.", "limit:string")
        .gives("204"),
    put("/api/leveret/disk-free-limit", "With how little free space publishers are blocked.", "limit:string")
        .gives("204"),
    get("/api/leveret/configuration", "Every key of the configuration with its value.", "200 object"),
    post("/api/leveret/stop", "Stops the broker.", "204"),
    get("/api/leveret/jobs", "Jobs that run, and some that ended.", "200 [Job]").paged(),
    get("/api/leveret/jobs/{job}", "A job.", "200 Job"),
    delete("/api/leveret/jobs/{job}", "Cancels it."),
    get(
        "/api/leveret/queues/{vhost}/{queue}/messages",
        "Looks at messages without taking them.",
        "200 Browsed",
    )
    .query(BROWSE),
    post("/api/leveret/queues/{vhost}/{queue}/move", "Moves messages elsewhere.", "202 Job").body(MOVE),
    post(
        "/api/leveret/queues/{vhost}/{queue}/redrive",
        "Moves dead messages back to where they died.",
        "202 Job",
    )
    .body(REDRIVE),
    get(
        "/api/leveret/queues/{vhost}/{queue}/scheduled",
        "Messages that wait there for their time.",
        "200 Browsed",
    )
    .query(BROWSE),
    put("/api/leveret/queues/{vhost}/{queue}/scheduled/{scheduled}", "Gives one another time.", DUE)
        .gives("200 Scheduled"),
    delete("/api/leveret/queues/{vhost}/{queue}/scheduled/{scheduled}", "Takes one back."),
    get(
        "/api/leveret/exchanges/{vhost}/{exchange}/scheduled",
        "Messages that an exchange delays.",
        "200 Browsed",
    )
    .query(BROWSE),
    put("/api/leveret/exchanges/{vhost}/{exchange}/scheduled/{scheduled}", "Gives one another time.", DUE)
        .gives("200 Scheduled"),
    delete("/api/leveret/exchanges/{vhost}/{exchange}/scheduled/{scheduled}", "Takes one back."),
    post("/api/leveret/queues/{vhost}/{queue}/pause", "Gives consumers nothing until it is resumed.", "204"),
    post("/api/leveret/queues/{vhost}/{queue}/resume", "Gives consumers messages again.", "204"),
    get(
        "/api/leveret/queues/{vhost}/{queue}/arguments",
        "Its arguments, and which may be changed.",
        "200 Arguments",
    ),
    put("/api/leveret/queues/{vhost}/{queue}/arguments", "Changes them in place.", "arguments:object")
        .gives("204"),
    post(
        "/api/leveret/definitions",
        "Imports definitions and tells what was done, or would be.",
        "200 object",
    )
    .query("dry_run?:boolean")
    .body(""),
    post("/api/leveret/definitions/{vhost}", "The same into one virtual host.", "200 object")
        .query("dry_run?:boolean")
        .body(""),
    post(
        "/api/leveret/exchanges/{vhost}/{exchange}/route",
        "Where a message would go, and why not elsewhere.",
        "200 Route",
    )
    .body("routing_key?:string properties?:object headers?:object"),
    get(
        "/api/leveret/queues/{vhost}/{queue}/ages",
        "How old its messages are, and how long they wait.",
        "200 object",
    ),
];

const BROWSE: &str = "state?:=ready,unacked,scheduled limit?:integer truncate?:integer encoding?:=auto,base64 after?:string \
                      exchange?:string routing_key?:string body?:string min_age?:integer max_age?:integer";
const MOVE: &str = "to:MoveTo filter?:Filter limit?:integer rate?:number dry_run?:boolean";
const REDRIVE: &str = "to?:=queue,exchange death?:=first,last max_redrives?:integer filter?:Filter limit?:integer \
                       rate?:number dry_run?:boolean";
const DUE: &str = "due?:integer delay?:integer";
