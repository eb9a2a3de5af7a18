package dns

import (
	"container/list"
	"time"
)

// cache keeps the answers that were used last, bounded in number and bytes. It is not
// safe for concurrent use.
type cache struct {
	entries, bytes int // limits
	size           int
	order          *list.List // of *entry, the last used first
	at             map[question]*list.Element
}

type entry struct {
	question
	answer
	size int
}

func newCache(entries, bytes int) *cache {
	return &cache{entries: entries, bytes: bytes, order: list.New(), at: map[question]*list.Element{}}
}

func (c *cache) get(q question, now time.Time) (answer, bool) {
	e := c.at[q]
	if e == nil {
		return answer{}, false
	}
	if v := e.Value.(*entry); now.Before(v.expires) {
		c.order.MoveToFront(e)
		return v.answer, true
	}
	c.remove(e)
	return answer{}, false
}

// put remembers an answer. One that would take more than a hundredth of the cache isn't
// worth it.
func (c *cache) put(q question, a answer) {
	if e := c.at[q]; e != nil {
		c.remove(e)
	}
	// In memory an answer takes several times its octets on the wire, and a list
	// element, a place in the map and a name beside.
	size := 4*a.wire + 2*len(q.name) + 768
	if size > c.bytes/100 {
		return
	}
	c.at[q] = c.order.PushFront(&entry{q, a, size})
	c.size += size
	for c.order.Len() > c.entries || c.size > c.bytes {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(e *list.Element) {
	v := c.order.Remove(e).(*entry)
	delete(c.at, v.question)
	c.size -= v.size
}
