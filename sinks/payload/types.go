package payload

// The types of the native payload, in the order of its keys. schema.json describes
// each field; a test holds the two together. A field of type any is a string that
// may be streamed.

type native struct {
	Schema         string         `json:"schema"`
	ID             string         `json:"id"`
	ReceivedAt     string         `json:"received_at"`
	Route          string         `json:"route"`
	Envelope       envelope       `json:"envelope"`
	Authentication authentication `json:"authentication"`
	Message        content        `json:"message"`
	Raw            rawFacts       `json:"raw"`
}

type envelope struct {
	ReversePath string      `json:"reverse_path"`
	Recipients  []recipient `json:"recipients"`
	HELO        string      `json:"helo"`
	RemoteIP    string      `json:"remote_ip"`
	RemoteName  string      `json:"remote_name"`
	Protocol    string      `json:"protocol"`
	SMTPUTF8    bool        `json:"smtputf8"`
	TLS         *tlsFacts   `json:"tls"`
	User        *string     `json:"user"`
	Size        int64       `json:"size"`
	Provider    *provider   `json:"provider"`
}

type provider struct {
	Name      string `json:"name"`
	MessageID string `json:"message_id"`
	SPF       string `json:"spf"`
	DKIM      string `json:"dkim"`
	DMARC     string `json:"dmarc"`
	Spam      string `json:"spam"`
	Virus     string `json:"virus"`
}

type recipient struct {
	Address   string            `json:"address"`
	LocalPart string            `json:"local_part"`
	Domain    string            `json:"domain"`
	User      string            `json:"user"`
	Tag       string            `json:"tag"`
	Captures  map[string]string `json:"captures"`
}

type tlsFacts struct {
	Version    string `json:"version"`
	Cipher     string `json:"cipher"`
	ServerName string `json:"server_name"`
}

type authentication struct {
	SPF                spfResult    `json:"spf"`
	SPFHelo            spfResult    `json:"spf_helo"`
	DKIM               []dkimResult `json:"dkim"`
	DMARC              dmarcResult  `json:"dmarc"`
	ARC                arcResult    `json:"arc"`
	IPRev              iprevResult  `json:"iprev"`
	HELO               heloResult   `json:"helo"`
	FromVerified       bool         `json:"from_verified"`
	FromVerifiedBy     string       `json:"from_verified_by"`
	FromVerifiedReason string       `json:"from_verified_reason"`
	Header             string       `json:"header"`
}

type spfResult struct {
	Result      string `json:"result"`
	Domain      string `json:"domain"`
	Reason      string `json:"reason"`
	Mechanism   string `json:"mechanism"`
	Explanation string `json:"explanation"`
	DNSSEC      bool   `json:"dnssec"`
}

type dkimResult struct {
	Result     string   `json:"result"`
	Domain     string   `json:"domain"`
	Selector   string   `json:"selector"`
	Algorithm  string   `json:"algorithm"`
	Aligned    bool     `json:"aligned"`
	Reason     string   `json:"reason"`
	Identity   string   `json:"identity"`
	KeyBits    int      `json:"key_bits"`
	Oversigned []string `json:"oversigned"`
	Unsigned   int64    `json:"unsigned"`
	Testing    bool     `json:"testing"`
	SignedAt   *string  `json:"signed_at"`
	ExpiresAt  *string  `json:"expires_at"`
	DNSSEC     bool     `json:"dnssec"`
}

type dmarcResult struct {
	Result               string   `json:"result"`
	Domain               string   `json:"domain"`
	PolicyDomain         string   `json:"policy_domain"`
	OrganizationalDomain string   `json:"organizational_domain"`
	Policy               string   `json:"policy"`
	Disposition          string   `json:"disposition"`
	SPFAligned           bool     `json:"spf_aligned"`
	DKIMAligned          bool     `json:"dkim_aligned"`
	Reason               string   `json:"reason"`
	AggregateReports     []string `json:"aggregate_reports"`
	FailureReports       []string `json:"failure_reports"`
	Testing              bool     `json:"testing"`
	DNSSEC               bool     `json:"dnssec"`
}

type arcResult struct {
	Result      string   `json:"result"`
	ChainLength int      `json:"chain_length"`
	Sealers     []string `json:"sealers"`
	Trusted     bool     `json:"trusted"`
	Reason      string   `json:"reason"`
}

type iprevResult struct {
	Result string `json:"result"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

type heloResult iprevResult

type content struct {
	MessageID      string          `json:"message_id"`
	Date           *string         `json:"date"`
	Subject        string          `json:"subject"`
	From           []address       `json:"from"`
	Sender         *address        `json:"sender"`
	ReplyTo        []address       `json:"reply_to"`
	To             []address       `json:"to"`
	Cc             []address       `json:"cc"`
	Bcc            []address       `json:"bcc"`
	InReplyTo      []string        `json:"in_reply_to"`
	References     []string        `json:"references"`
	Headers        []headerField   `json:"headers"`
	Text           any             `json:"text"`
	HTML           any             `json:"html"`
	TextFromHTML   bool            `json:"text_from_html"`
	Reply          reply           `json:"reply"`
	Attachments    []attachment    `json:"attachments"`
	Class          string          `json:"class"`
	Automatic      automatic       `json:"automatic"`
	List           mailingList     `json:"list"`
	Bounce         *bounce         `json:"bounce"`
	FeedbackReport *feedbackReport `json:"feedback_report"`
	Calendar       []calendarEntry `json:"calendar"`
	Security       security        `json:"security"`
	Defects        []defect        `json:"defects"`
}

type address struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

type headerField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// reply is the text divided. The values may be large, as content's Text.
type reply struct {
	Text      any `json:"text"`
	Quoted    any `json:"quoted"`
	Signature any `json:"signature"`
}

type attachment struct {
	Filename    string  `json:"filename"`
	ContentType string  `json:"content_type"`
	Charset     string  `json:"charset"`
	Disposition string  `json:"disposition"`
	ContentID   string  `json:"content_id"`
	Size        int64   `json:"size"`
	SHA256      string  `json:"sha256"`
	Content     any     `json:"content"`
	URL         *string `json:"url"`
}

type automatic struct {
	AutoSubmitted string `json:"auto_submitted"`
	Precedence    string `json:"precedence"`
	Reason        string `json:"reason"`
}

type mailingList struct {
	ID          string   `json:"id"`
	Unsubscribe []string `json:"unsubscribe"`
	OneClick    bool     `json:"one_click"`
}

type security struct {
	Signed    string `json:"signed"`
	Encrypted string `json:"encrypted"`
}

type defect struct {
	Part string `json:"part"`
	Code string `json:"code"`
	Text string `json:"text"`
}

type rawFacts struct {
	Size    int64   `json:"size"`
	SHA256  string  `json:"sha256"`
	Content any     `json:"content"`
	URL     *string `json:"url"`
}
