// Package dns is the one Resolver that all methods share: caching, bounded in time
// and queries, and answering in the errors that the methods can tell apart.
package dns

import (
	"context"
	"net"
)

// Resolver answers the look-ups of the methods. Names may have a final dot or not.
// Its shape is net.Resolver's, so that libraries take it as it is.
//
// Every error is a bare *net.DNSError (never wrapped, since the libraries use type
// assertions): IsNotFound for NXDOMAIN and for no data, IsTemporary or IsTimeout for
// what may be answered later. It is safe for concurrent use.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error)
	LookupAddr(ctx context.Context, addr string) ([]string, error)
}
