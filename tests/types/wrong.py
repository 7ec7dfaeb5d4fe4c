"""What a type checker must refuse, by line."""

import coloop

coloop.new_event_loop(fork="sometimes")  # wrong
number: int = coloop.get_include()  # wrong
coloop.new_event_loop().call_later("1", print)  # wrong
coloop.future_pointer(1)  # wrong
