//! Every way into a connection, and every way to be turned away.

use leveret_protocol::decode::{PROTOCOL_HEADER, Version, protocol_header};
use leveret_protocol::method::channel;
use leveret_protocol::method::connection::{Close, CloseOk, SecureOk};
use leveret_protocol::table::TableBuilder;

use super::*;
use std::net::IpAddr;

use crate::access::Access;
use crate::auth::{AccessSettings, Tags, UserLimits};

/// Knows guest, `/`, and some virtual hosts that cannot be entered.
struct Gate(Access);

impl Default for Gate {
    fn default() -> Self {
        Self(Access::in_memory(AccessSettings::default()))
    }
}

impl Gatekeeper for Gate {
    fn log_in(&self, claim: Claim<'_>, origin: &Origin) -> Result<Arc<User>, LoginRefused> {
        self.0.log_in(claim, origin)
    }

    fn failed(&self, _: &Origin) -> Duration {
        Duration::from_millis(20)
    }

    fn enter(&self, _: &User, vhost: &VhostName) -> Result<Entry, EntryRefused> {
        match vhost.as_str() {
            "/" => Ok(Entry::default()),
            "forbidden" => Err(EntryRefused::AccessRefused),
            "full" => Err(EntryRefused::VhostConnectionLimit(0)),
            "busy" => Err(EntryRefused::UserConnectionLimit(0)),
            _ => Err(EntryRefused::NoSuchVhost),
        }
    }
}

const GUEST: StartOk<'static> = start_ok("PLAIN", b"\0guest\0guest");
const TUNE_OK: TuneOk = TuneOk { channel_max: 2047, frame_max: 131_072, heartbeat: 60 };

const fn start_ok(mechanism: &'static str, response: &'static [u8]) -> StartOk<'static> {
    StartOk { client_properties: leveret_protocol::Table::EMPTY, mechanism, response, locale: "en_US" }
}

fn handshake() -> Handshake {
    let properties = Arc::new(super::super::capabilities::server_properties("test"));
    let (config, origin) = (Arc::new(Config::default()), IpAddr::from([127, 0, 0, 1]).into());
    Handshake::new(config, properties, origin, [Mechanism::Plain, Mechanism::AmqPlain])
}

/// A handshake that has taken `methods` after the header, and what came of the last one.
fn after(methods: &[Method<'_>]) -> (Handshake, Option<Result<Step, Refusal>>) {
    let mut handshake = handshake();
    handshake.protocol_header(protocol_header(&PROTOCOL_HEADER)).unwrap();
    let last = methods.iter().fold(None, |_, method| Some(handshake.method(0, method, &Gate::default())));
    (handshake, last)
}

fn refusal(methods: &[Method<'_>]) -> Refusal {
    after(methods).1.unwrap().unwrap_err()
}

fn close_of(refusal: &Refusal) -> (u16, &str, u16, u16) {
    let close = refusal.answer.method().unwrap();
    (close.reply_code, close.reply_text, close.class_id, close.method_id)
}

#[test]
fn a_connection_opens_with_what_both_sides_agreed_on() {
    let open = Open { virtual_host: "/" };
    let tune_ok = TuneOk { channel_max: 7, frame_max: 4096, heartbeat: 0 };
    let (_, tune) = after(&[GUEST.into()]);
    let Step::Send(tune) = tune.unwrap().unwrap() else { panic!("no tune") };
    assert_eq!(tune, Tune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 }.into());
    let (handshake, tuned) = after(&[GUEST.into(), tune_ok.into()]);
    assert!(matches!(tuned, Some(Ok(Step::Await))));
    assert_eq!(handshake.frame_max(), 4096);
    let (_, opened) = after(&[GUEST.into(), tune_ok.into(), open.into()]);
    let Step::Open(negotiated) = opened.unwrap().unwrap() else { panic!("not open") };
    assert_eq!((negotiated.channel_max, negotiated.frame_max, negotiated.heartbeat), (7, 4096, 0));
    assert_eq!(negotiated.user.name.as_str(), "guest");
    assert_eq!(negotiated.vhost.as_str(), "/");
    assert_eq!(negotiated.capabilities, ClientCapabilities::default());
}

#[test]
fn start_offers_amqp_0_9_to_both_headers_that_announce_it() {
    for version in [[0, 0, 9, 1], [1, 1, 0, 9]] {
        let mut handshake = handshake();
        let start = handshake.protocol_header(ProtocolHeader::Complete(Version(version))).unwrap();
        assert_eq!((start.version_major, start.version_minor), (0, 9));
        assert_eq!((start.mechanisms, start.locales), (&b"PLAIN AMQPLAIN"[..], &b"en_US"[..]));
    }
}

#[test]
fn any_other_header_is_answered_with_ours_and_a_hint_in_the_log() {
    for (header, log) in [
        (b"AMQP\x01\x01\x00\x0a", "AMQP version 1 1 0 10 is not spoken here"),
        (b"AMQP\x00\x01\x00\x00", "AMQP version 0 1 0 0 is not spoken here"),
        (b"GET / HT", "this is not AMQP: it looks like HTTP"),
        (
            b"\x16\x03\x01\x00\x2e\x01\x00\x00",
            "this is not AMQP: it looks like TLS, which this port does not speak",
        ),
        (b"\x93\x00\xfe\x11\x8c\x5a\x7f\xd2", "this is not AMQP"),
    ] {
        let refusal = handshake().protocol_header(protocol_header(header)).unwrap_err();
        assert_eq!(refusal.answer, Answer::ProtocolHeader);
        assert_eq!(refusal.to_string(), log);
    }
}

#[test]
fn nobody_is_known_or_may_send_large_frames_before_login_and_tuning() {
    let (handshake, _) = after(&[]);
    assert_eq!((handshake.is_authenticated(), handshake.frame_max()), (false, 8192));
    let (handshake, _) = after(&[GUEST.into()]);
    assert_eq!((handshake.is_authenticated(), handshake.frame_max()), (true, 8192));
    let (handshake, _) = after(&[GUEST.into(), TUNE_OK.into()]);
    assert_eq!((handshake.is_authenticated(), handshake.frame_max()), (true, 131_072));
    let (handshake, _) = after(&[start_ok("PLAIN", b"\0guest\0wrong").into()]);
    assert!(!handshake.is_authenticated());
}

#[test]
fn a_failed_login_is_told_only_to_those_who_understand_it_and_never_why() {
    let capabilities = TableBuilder::new().bool("authentication_failure_close", true).finish();
    let properties = TableBuilder::new().table("capabilities", capabilities.as_table()).finish();
    for response in [&b"\0guest\0wrong"[..], b"\0nobody\0guest", b"\0guest\0", b"\0\0"] {
        let announced = StartOk { client_properties: properties.as_table(), response, ..GUEST };
        assert_eq!(
            close_of(&refusal(&[announced.into()])),
            (
                403,
                "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. \
                 For details see the broker logfile.",
                0,
                0
            )
        );
        let refusal = refusal(&[StartOk { response, ..GUEST }.into()]);
        assert_eq!(refusal.answer, Answer::Drop);
        assert!(refusal.to_string().ends_with("- invalid credentials"), "{refusal}");
        assert!(!refusal.to_string().contains("wrong"), "{refusal}");
    }
}

#[test]
fn b13_guest_from_another_machine_is_a_failed_login() {
    let capabilities = TableBuilder::new().bool("authentication_failure_close", true).finish();
    let properties = TableBuilder::new().table("capabilities", capabilities.as_table()).finish();
    let announced = StartOk { client_properties: properties.as_table(), ..GUEST };
    for (peer, allowed) in [
        ("127.0.0.1", true),
        ("127.8.8.8", true),
        ("::1", true),
        ("::ffff:127.0.0.1", true),
        ("192.0.2.1", false),
        ("::ffff:192.0.2.1", false),
        ("2001:db8::1", false),
        ("0.0.0.0", false),
        ("::", false),
        // An IPv4 address in the old notation is a stranger's: nothing on the loopback interface has one.
        ("::127.0.0.1", false),
    ] {
        for (start_ok, answer) in [(announced, Some(403)), (GUEST, None)] {
            let mut handshake = Handshake { origin: peer.parse::<IpAddr>().unwrap().into(), ..handshake() };
            handshake.protocol_header(protocol_header(&PROTOCOL_HEADER)).unwrap();
            let step = handshake.method(0, &start_ok.into(), &Gate::default());
            assert_eq!((step.is_ok(), handshake.is_authenticated()), (allowed, allowed), "{peer}");
            let Err(refusal) = step else { continue };
            assert_eq!(refusal.answer.method().map(|close| close.reply_code), answer, "{peer}");
            assert_eq!(
                refusal.to_string(),
                "PLAIN login refused: user 'guest' - can only connect via localhost"
            );
        }
    }
}

#[test]
fn an_unknown_mechanism_is_invalid_and_a_malformed_response_a_syntax_error() {
    for (mechanism, response, code, text) in [
        ("EXTERNAL", &b""[..], 503, "COMMAND_INVALID - unknown authentication mechanism 'EXTERNAL'"),
        ("", b"\0guest\0guest", 503, "COMMAND_INVALID - unknown authentication mechanism ''"),
        ("PLAIN", b"guest", 502, "SYNTAX_ERROR - malformed PLAIN response"),
        ("AMQPLAIN", b"\0guest\0guest", 502, "SYNTAX_ERROR - malformed AMQPLAIN response"),
    ] {
        assert_eq!(close_of(&refusal(&[start_ok(mechanism, response).into()])), (code, text, 10, 11));
    }
}

#[test]
fn limits_outside_the_offer_are_not_allowed_and_none_at_all_is_outside() {
    let lower = |n| format!("negotiated frame_max = {n} is lower than the minimum allowed value (4096)");
    let higher = |n| format!("negotiated frame_max = {n} is higher than the maximum allowed value (131072)");
    let channels =
        |n| format!("negotiated channel_max = {n} is higher than the maximum allowed value (2047)");
    for (channel_max, frame_max, text) in [
        (2047, 1, lower(1)),
        (2047, 4095, lower(4095)),
        (2047, 0, higher(0)),
        (2047, 131_073, higher(131_073)),
        (0, 131_072, channels(0)),
        (2048, 131_072, channels(2048)),
    ] {
        let tune_ok = TuneOk { channel_max, frame_max, heartbeat: 0 };
        let text = format!("NOT_ALLOWED - {text}");
        assert_eq!(close_of(&refusal(&[GUEST.into(), tune_ok.into()])), (530, &*text, 10, 31));
    }
}

#[test]
fn a_vhost_that_cannot_be_entered_is_not_allowed() {
    for (vhost, text) in [
        ("nope", "NOT_ALLOWED - vhost nope not found"),
        ("", "NOT_ALLOWED - vhost  not found"),
        ("forbidden", "NOT_ALLOWED - access to vhost 'forbidden' refused for user 'guest'"),
        (
            "full",
            "NOT_ALLOWED - access to vhost 'full' refused for user 'guest': connection limit (0) is reached; it is max-connections of the vhost",
        ),
        (
            "busy",
            "NOT_ALLOWED - connection refused for user 'guest': user connection limit (0) is reached; it is max-connections of the user",
        ),
    ] {
        let methods = [GUEST.into(), TUNE_OK.into(), Open { virtual_host: vhost }.into()];
        assert_eq!(close_of(&refusal(&methods)), (530, text, 10, 40));
    }
}

#[test]
fn a_text_that_does_not_fit_ends_in_three_dots() {
    let vhost = "\u{fc}".repeat(127);
    let methods = [GUEST.into(), TUNE_OK.into(), Open { virtual_host: &vhost }.into()];
    let refusal = refusal(&methods);
    let (_, text, ..) = close_of(&refusal);
    assert!(text.ends_with("\u{fc}...") && (254..=255).contains(&text.len()), "{text}");
}

#[test]
fn a_method_out_of_turn_is_invalid_in_every_state() {
    let open = Open { virtual_host: "/" };
    let states: [(&[Method<'_>], &str); 3] =
        [(&[], "starting"), (&[GUEST.into()], "tuning"), (&[GUEST.into(), TUNE_OK.into()], "opening")];
    let methods: [Method<'_>; 6] = [
        GUEST.into(),
        TUNE_OK.into(),
        open.into(),
        SecureOk { response: b"" }.into(),
        CloseOk {}.into(),
        channel::Open {}.into(),
    ];
    for (turn, (before, state)) in states.iter().enumerate() {
        for (place, method) in methods.iter().enumerate().filter(|(place, _)| *place != turn) {
            let refusal = refusal(&[*before, &[*method]].concat());
            let (class_id, method_id) = method.id();
            let text = format!("COMMAND_INVALID - unexpected method in connection state {state}");
            assert_eq!(close_of(&refusal), (503, &*text, class_id, method_id), "{place} in {state}");
        }
    }
}

#[test]
fn a_method_of_the_handshake_on_a_channel_is_out_of_turn() {
    let (mut handshake, _) = after(&[]);
    let refusal = handshake.method(1, &GUEST.into(), &Gate::default()).unwrap_err();
    assert_eq!(close_of(&refusal).0, 503);
}

#[test]
fn a_peer_may_end_the_connection_at_any_step_and_nothing_follows() {
    let close = Close { reply_code: 200, reply_text: "bye", class_id: 0, method_id: 0 };
    let states: [&[Method<'_>]; 3] = [&[], &[GUEST.into()], &[GUEST.into(), TUNE_OK.into()]];
    for before in states {
        let (mut handshake, step) = after(&[before, &[close.into()]].concat());
        assert!(matches!(step, Some(Ok(Step::Close))));
        assert!(handshake.method(0, &GUEST.into(), &Gate::default()).is_err());
    }
}

#[test]
fn whoever_is_over_a_limit_is_told_which_it_is_its_value_and_where_it_is_set() {
    use crate::access::ChannelRefused;
    use crate::channel::exception::{
        Subject, delivery_timed_out, refused, too_many_channels, too_many_consumers,
    };
    use crate::connection::operate::Unchanged;
    use crate::vhost::refused::Refused;

    let user =
        User { name: "u".into(), password: None, tags: Tags::default(), limits: UserLimits::default() };
    let vhost = VhostName::from("v");
    let queue = |refusal| refused(&refusal, Subject::Queue("q"), &vhost).text;
    let timeout = Duration::from_millis(71);
    for (text, names, set_by) in [
        (
            entry_text(EntryRefused::VhostConnectionLimit(71), &vhost, &user),
            "vhost 'v'",
            "max-connections of the vhost",
        ),
        (
            entry_text(EntryRefused::UserConnectionLimit(71), &vhost, &user),
            "user 'u'",
            "max-connections of the user",
        ),
        (
            too_many_channels(ChannelRefused::User(71), &user.name).text,
            "user 'u'",
            "max-channels of the user",
        ),
        (
            too_many_channels(ChannelRefused::Node(71), &user.name).text,
            "node",
            "channel_max_per_node in the config",
        ),
        (
            too_many_consumers(71).text,
            "consumers per channel",
            "consumer_max_per_channel in the configuration",
        ),
        (queue(Refused::QueueLimit(71)), "vhost 'v'", "max-queues of the vhost"),
        (queue(Refused::NodeQueueLimit(71)), "cluster", "cluster_queue_limit in the configuration"),
        (
            queue(Refused::NodeExchangeLimit(71)),
            "exchange limit",
            "cluster_exchange_limit in the configuration",
        ),
        (Unchanged::TooManyVhosts(71).to_string(), "vhost limit", "vhost_max in the configuration"),
        (delivery_timed_out(7, timeout).text, "channel 7", "consumer_timeout in the configuration"),
    ] {
        assert!(text.contains(names) && text.contains("71") && text.contains(" it is "), "{text}");
        assert!(text.contains(set_by) && text.len() <= 255, "{text}");
    }
}
