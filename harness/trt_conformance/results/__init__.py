"""What runs reported: records, comparison, history, the latency gate, and the pages made from them."""
