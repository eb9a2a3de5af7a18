package dns

import (
	"container/list"
	"time"

	mdns "github.com/miekg/dns"
)

// answer is what a server said to one question.
type answer struct {
	rrs     []mdns.RR
	exists  bool // the name does, if perhaps not these records
	expires time.Time
}

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

// put remembers an answer of about that many bytes on the wire. One that would take
// more than a hundredth of the cache isn't worth it.
func (c *cache) put(q question, a answer, wire int) {
	if e := c.at[q]; e != nil {
		c.remove(e)
	}
	// In memory a record takes several times its bytes on the wire.
	size := 4*wire + 256
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
