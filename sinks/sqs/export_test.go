package sqs

// What the tests check beneath a Sink.
type Attribute = attribute

// NewAttribute returns an attribute.
func NewAttribute(name, dataType, value string) Attribute { return attribute{name, dataType, value} }

var (
	DigestOf           = digestOf
	DigestOfAttributes = digestOfAttributes
	SizeOf             = sizeOf
	IsText             = isText
	GroupOf            = groupOf
)

// Assumed is what stands for a maximum that is not known.
const Assumed = assumed

// Limit returns what the sink takes for the limit.
func (s *Sink) Limit() (n int64, sure bool) { return s.limit() }
