"""What tests share: the command, oracles, specimens, servers. No test imports from another test."""
