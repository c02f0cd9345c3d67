package contract

import "net/http"

// The faults of a product that answers, or of what stands between. They may follow on
// credentials: what was sent as Authorization is in the answer, where there is one.
const (
	// HTML is a page with status 200, such as that of a proxy that wants a login.
	HTML Fault = "html"
	// Wrong is JSON of another form.
	Wrong Fault = "wrong"
	// Foreign is a JSON object that has none of the members that were asked for.
	Foreign Fault = "foreign"
	// Torn is an answer that ends before its length.
	Torn Fault = "torn"
	// Huge is an answer of ten million bytes of JSON.
	Huge Fault = "huge"
	// Trickle is an answer that comes byte by byte, without an end.
	Trickle Fault = "trickle"
	// Elsewhere is a redirect to another origin.
	Elsewhere Fault = "elsewhere"
	// Failing is status 503.
	Failing Fault = "failing"
	// Forbid is status 403: the credentials are taken, and may not do this.
	Forbid Fault = "forbid"
	// Missing is status 404 with a page: there is another server than the product.
	Missing Fault = "missing"
)

// Outage says which requests fail, and how. The zero value ends one.
type Outage struct {
	Fault Fault
	// Part is the part of the product that fails; empty is all of it, without Spared.
	Part, Spared string
	// After is how many requests to it are served before it begins.
	After int
	// CarriesOut has the product do what it is asked before its answer is spoilt.
	CarriesOut bool
	// Hit is called when a request fails, before it does; nil is nobody.
	Hit func()
}

// Sent is a request that reached a product.
type Sent struct {
	// Part is the part of the product that it was for, and Target the path and the query
	// as they were sent.
	Part, Method, Target string
	Header               http.Header
	Body                 []byte
	// Failed reports whether an outage hit it.
	Failed bool
}

// Front stands before all parts of a product, records what is sent to them, and lets
// requests fail.
type Front interface {
	// Fail begins an outage, and ends the one before.
	Fail(Outage)
	// Sent are all requests so far, in the order in which they came.
	Sent() []Sent
}
