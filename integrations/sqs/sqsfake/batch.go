package sqsfake

import (
	"crypto/md5" //nolint:gosec // The service's own checksum.
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// next hides messages and returns them. A message of a group is not given out while one of the
// group is hidden. Again is when the first hidden one comes again.
func (q *Queue) next(most int, hide time.Duration, groups bool) (found []map[string]any, grown <-chan struct{}, again time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	held := map[string]bool{}
	again = time.Hour
	for _, m := range q.messages {
		if m.hidden.After(now) {
			again = min(again, m.hidden.Sub(now))
		}
		if m.hidden.After(now) && m.group != "" {
			held[m.group] = true
		}
	}
	for _, m := range q.messages {
		if len(found) == most {
			break
		}
		if m.hidden.After(now) || held[m.group] {
			continue
		}
		q.last++
		m.receipt, m.hidden = fmt.Sprintf("%s/%d", m.id, q.last), now.Add(hide)
		sum := md5.Sum([]byte(m.body)) //nolint:gosec // The service's own checksum.
		entry := map[string]any{"MessageId": m.id, "ReceiptHandle": m.receipt, "Body": m.body, "MD5OfBody": hex.EncodeToString(sum[:])}
		if groups && m.group != "" {
			entry["Attributes"] = map[string]string{"MessageGroupId": m.group}
		}
		found = append(found, entry)
	}
	return found, q.grown, again
}

type entry struct {
	ID                string `json:"Id"`
	ReceiptHandle     string `json:"ReceiptHandle"`
	VisibilityTimeout *int   `json:"VisibilityTimeout"`
}

type batchInput struct {
	QueueURL string  `json:"QueueUrl"`
	Entries  []entry `json:"Entries"`
}

func (in batchInput) queue() string { return in.QueueURL }

// each calls f with the message of each entry whose receipt is its last.
func (q *Queue) each(in batchInput, f func(at int, e entry)) (any, *refusal) {
	switch {
	case len(in.Entries) == 0:
		return nil, invalid("EmptyBatchRequest", "There should be at least one entry in the request.")
	case len(in.Entries) > 10:
		return nil, invalid("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", len(in.Entries))
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	out := struct {
		Successful []map[string]string
		Failed     []map[string]any
	}{[]map[string]string{}, []map[string]any{}}
	seen := map[string]bool{}
	for _, e := range in.Entries {
		if e.ID == "" || seen[e.ID] {
			return nil, invalid("BatchEntryIdsNotDistinct", "Id %s repeated.", e.ID)
		}
		seen[e.ID] = true
		at := slices.IndexFunc(q.messages, func(m *message) bool { return m.receipt == e.ReceiptHandle && e.ReceiptHandle != "" })
		if at < 0 {
			out.Failed = append(out.Failed, map[string]any{"Id": e.ID, "Code": "ReceiptHandleIsInvalid", "Message": "The receipt handle is not valid.", "SenderFault": true})
			continue
		}
		f(at, e)
		out.Successful = append(out.Successful, map[string]string{"Id": e.ID})
	}
	q.wake()
	return out, nil
}

func (q *Queue) remove(in batchInput) (any, *refusal) {
	return q.each(in, func(at int, _ entry) { q.messages = slices.Delete(q.messages, at, at+1) })
}

func (q *Queue) change(in batchInput) (any, *refusal) {
	for _, e := range in.Entries {
		if _, bad := within("VisibilityTimeout", e.VisibilityTimeout, 0, 0, 43200); bad != nil {
			return nil, bad
		}
	}
	return q.each(in, func(at int, e entry) {
		seconds := 0
		if e.VisibilityTimeout != nil {
			seconds = *e.VisibilityTimeout
		}
		q.messages[at].hidden = time.Now().Add(time.Duration(seconds) * time.Second)
	})
}

type attributesInput struct {
	QueueURL       string   `json:"QueueUrl"`
	AttributeNames []string `json:"AttributeNames"`
}

func (in attributesInput) queue() string { return in.QueueURL }

func (q *Queue) attributes(in attributesInput) (any, *refusal) {
	q.mu.Lock()
	defer q.mu.Unlock()
	visible, hidden := 0, 0
	for _, m := range q.messages {
		if m.hidden.After(time.Now()) {
			hidden++
		} else {
			visible++
		}
	}
	known := map[string]int{
		"ApproximateNumberOfMessages": visible, "ApproximateNumberOfMessagesNotVisible": hidden, "ApproximateNumberOfMessagesDelayed": 0,
	}
	out := map[string]string{}
	for _, name := range in.AttributeNames {
		n, ok := known[name]
		if !ok {
			return nil, invalid("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
		out[name] = strconv.Itoa(n)
	}
	return map[string]any{"Attributes": out}, nil
}
