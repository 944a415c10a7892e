"""What runs said: records, comparison, history, the latency gate, and the pages made of them."""
