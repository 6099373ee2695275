package delivery

import "errors"

// ErrRefused says that a row did not meet the condition of a write. Methods that return it also
// return the current row.
var ErrRefused = errors.New("refused by the state of the row")
