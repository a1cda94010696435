package headrace

import (
	"math/rand/v2"
	"time"
)

var ( // shorter in tests
	firstDelay   = 100 * time.Millisecond
	longestDelay = 5 * time.Second
)

// A server that never answered is given up sooner: after about a second.
const triesToReach = 4

// retryBackoff gives the delays between tries, and says when to give up. Delays double while nothing new
// comes; every new event renews it.
type retryBackoff struct {
	retries int
	reached bool
	spent   int
}

func (b *retryBackoff) answered() {
	b.reached = true
}

func (b *retryBackoff) progressed() {
	b.reached = true
	b.spent = 0
}

// next gives the delay before the next try, at least what the server asked for; false to give up.
func (b *retryBackoff) next(asked time.Duration) (time.Duration, bool) {
	if asked > 0 {
		b.reached = true // someone there said so
	}

	allowed := b.retries

	if !b.reached {
		allowed = min(allowed, triesToReach)
	}

	if b.spent >= allowed {
		return 0, false
	}

	delay := min(firstDelay<<min(b.spent, 10), longestDelay)
	b.spent++
	jitter := 0.5 + rand.Float64()/2

	return asked + time.Duration(float64(delay)*jitter), true
}
