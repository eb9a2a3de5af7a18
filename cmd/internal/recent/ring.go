package recent

// ring holds entries in the order in which they came, at most bound.
type ring struct {
	bound   int
	entries []*Entry // grows to bound
	first   int      // the oldest
	n       int
}

func (r *ring) len() int { return r.n }

// at returns the i-th entry, the oldest first.
func (r *ring) at(i int) *Entry { return r.entries[(r.first+i)%len(r.entries)] }

// push adds an entry and returns the one that had to go for it, nil if there was room.
func (r *ring) push(e *Entry) (old *Entry) {
	if r.n == len(r.entries) && r.n < r.bound {
		r.grow()
	}
	if r.n == r.bound {
		old = r.shift()
	}
	r.entries[(r.first+r.n)%len(r.entries)] = e
	r.n++
	return old
}

// shift takes the oldest out.
func (r *ring) shift() *Entry {
	e := r.entries[r.first]
	r.entries[r.first] = nil
	r.first = (r.first + 1) % len(r.entries)
	r.n--
	return e
}

func (r *ring) grow() {
	larger := make([]*Entry, min(max(2*len(r.entries), 64), r.bound))
	for i := range r.n {
		larger[i] = r.at(i)
	}
	r.entries, r.first = larger, 0
}

// before returns how many entries have a number below seq.
func (r *ring) before(seq uint64) int {
	low, high := 0, r.n
	for low < high {
		if middle := (low + high) / 2; r.at(middle).m.Seq < seq {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}
