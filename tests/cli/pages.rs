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
