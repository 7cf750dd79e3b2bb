//! What is made of the command line for shells and manuals.

use crate::shell::Shell;

#[test]
fn shells_are_told_of_every_noun_and_manuals_have_a_page_for_each_verb() {
    let shell = Shell::new();
    for (command, text) in [
        ("leveret completion bash", "topic-permissions"),
        ("leveret completion zsh", "#compdef leveret"),
        ("leveret completion fish", "complete -c leveret"),
        ("leveret man", ".TH leveret 1"),
        ("leveret --help", "leveret --listen 127.0.0.1:0"),
        ("leveret queues declare --help", "leveret queues declare orders --durable"),
    ] {
        let said = shell.run(command);
        assert_eq!((said.code, said.error.as_str()), (0, ""), "{command}");
        assert!(said.output.contains(text), "{command}: {}", said.output);
    }
    assert_eq!(shell.run("leveret man --dir pages").code, 0);
    for page in ["leveret.1", "leveret-queues-declare.1", "leveret-messages-scheduled-ls.1"] {
        let page = std::fs::read_to_string(shell.home().join("pages").join(page)).unwrap();
        assert!(page.contains(".SH NAME"), "{page}");
    }
    assert_eq!(shell.run("leveret completion tcsh").code, 64);
}

#[test]
fn the_version_is_told_with_its_commit_and_that_of_rabbitmq_stays_what_it_is() {
    let shell = Shell::new();
    let said = shell.run("leveret --version").output;
    let ours = concat!("leveret ", env!("CARGO_PKG_VERSION"));
    let form = format!(r"^{ours}( \([0-9a-f]{{7,9}}( \d{{4}}-\d{{2}}-\d{{2}})?\))?\n$");
    assert!(regex::Regex::new(&form).unwrap().is_match(&said), "{said}");
    let told = shell.run("leveret status -o json").output;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let commit = told["commit"].as_str().map(|commit| format!(" ({commit})")).unwrap_or_default();
    assert_eq!(said, format!("leveret {}{commit}\n", told["version"].as_str().unwrap()));
    assert_eq!(
        shell.run("leveret doctor").output.matches(&said["leveret ".len()..said.len() - 1]).count(),
        1
    );
    assert_eq!(shell.run("leveret rabbitmqctl version").output, "4.0.5\n");
}
