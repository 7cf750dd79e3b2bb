//! Users, permissions, virtual hosts, limits.

use super::described::{Described, delete, get, post, put};

pub(super) const DESCRIBED: &[Described] = &[
    get("/api/whoami", "Who asks.", "200 User"),
    get("/api/auth", "How pages are to log in.", "200 object"),
    post("/api/login", "Logs a page in: a form with a username and a password.", "200|401 string"),
    get("/api/vhosts", "The virtual hosts that the user may enter, or all.", "200 [Vhost]")
        .query("disable_stats?:boolean")
        .paged(),
    get("/api/vhosts/{vhost}", "A virtual host.", "200 Vhost").query("disable_stats?:boolean"),
    put("/api/vhosts/{vhost}", "Makes a virtual host, or changes what is said of it.", VHOST),
    delete("/api/vhosts/{vhost}", "Deletes a virtual host and all that is in it."),
    get("/api/vhosts/{vhost}/deletion/protection", "Whether it is protected.", "200 object"),
    post("/api/vhosts/{vhost}/deletion/protection", "Protects it from being deleted.", "204"),
    delete("/api/vhosts/{vhost}/deletion/protection", "Protects it no more."),
    post("/api/vhosts/{vhost}/start/{node}", "Starts it; it runs already.", "204"),
    get("/api/vhosts/{vhost}/permissions", "The permissions there.", "200 [Permission]").listed(),
    get("/api/vhosts/{vhost}/topic-permissions", "The topic permissions there.", "200 [TopicPermission]")
        .listed(),
    get("/api/users", "All users.", "200 [User]").paged(),
    get("/api/users/without-permissions", "Users who may enter no virtual host.", "200 [User]").listed(),
    post("/api/users/bulk-delete", "Deletes all of these users, or none.", "204").body("users:[string]"),
    get("/api/users/{user}", "A user.", "200 User"),
    put("/api/users/{user}", "Makes a user, or changes it.", USER),
    delete("/api/users/{user}", "Deletes a user."),
    get("/api/users/{user}/permissions", "The user's permissions.", "200 [Permission]").listed(),
    get("/api/users/{user}/topic-permissions", "The user's topic permissions.", "200 [TopicPermission]")
        .listed(),
    get("/api/auth/hash_password/{password}", "The hash of a password, salted anew.", "200 object"),
    get("/api/permissions", "All permissions.", "200 [Permission]").listed(),
    get("/api/permissions/{vhost}/{user}", "A user's permissions there.", "200 Permission"),
    put(
        "/api/permissions/{vhost}/{user}",
        "Gives a user permissions there.",
        "configure:string write:string read:string",
    ),
    delete("/api/permissions/{vhost}/{user}", "Takes them away."),
    get("/api/topic-permissions", "All topic permissions.", "200 [TopicPermission]").listed(),
    get(
        "/api/topic-permissions/{vhost}/{user}",
        "A user's topic permissions there.",
        "200 [TopicPermission]",
    ),
    put(
        "/api/topic-permissions/{vhost}/{user}",
        "Gives a user permissions for topics of an exchange.",
        TOPIC,
    ),
    delete("/api/topic-permissions/{vhost}/{user}", "Takes all of them there away."),
    get(
        "/api/topic-permissions/{vhost}/{user}/{exchange}",
        "Those for one exchange.",
        "200 [TopicPermission]",
    ),
    delete("/api/topic-permissions/{vhost}/{user}/{exchange}", "Takes those for one exchange away."),
    get("/api/vhost-limits", "The limits of virtual hosts that have any.", "200 [VhostLimits]").listed(),
    get("/api/vhost-limits/{vhost}", "Those of one.", "200 [VhostLimits]").listed(),
    put("/api/vhost-limits/{vhost}/{name}", "Sets a limit: max-connections, max-queues.", LIMIT),
    delete("/api/vhost-limits/{vhost}/{name}", "Lifts it."),
    get("/api/user-limits", "The limits of users who have any.", "200 [UserLimits]").listed(),
    get("/api/user-limits/{user}", "Those of one.", "200 [UserLimits]").listed(),
    put("/api/user-limits/{user}/{name}", "Sets a limit: max-connections, max-channels.", LIMIT),
    delete("/api/user-limits/{user}/{name}", "Lifts it."),
];

const VHOST: &str = "description?:string tags?:string|[string] default_queue_type?:=classic,quorum tracing?:boolean \
                     protected_from_deletion?:boolean";
const USER: &str = "password?:string password_hash?:string tags:string|[string] \
                    hashing_algorithm?:=rabbit_password_hashing_sha256,rabbit_password_hashing_sha512,\
                    rabbit_password_hashing_md5";
const TOPIC: &str = "exchange:string write:string read:string";
const LIMIT: &str = "value:integer";
