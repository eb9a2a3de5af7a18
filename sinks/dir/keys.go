package dir

import (
	"context"
	"sync"
)

// keys keeps two who want to write the same file apart: the second then finds it. The
// zero value is ready.
type keys struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the key is free
}

// lock waits for the key until ctx ends.
func (k *keys) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		k.mu.Lock()
		free, held := k.held[key]
		if !held {
			if k.held == nil {
				k.held = map[string]chan struct{}{}
			}
			free = make(chan struct{})
			k.held[key] = free
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.held, key)
				k.mu.Unlock()
				close(free)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
