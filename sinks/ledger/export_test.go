package ledger

// Waiting returns how many Marks wait for a write to begin.
func (l *Ledger) Waiting() int {
	l.writer.mu.Lock()
	defer l.writer.mu.Unlock()
	return len(l.writer.queue)
}
