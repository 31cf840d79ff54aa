"""What is where and when: networks on their device, kept prefixes, fallbacks, turns of threads."""
