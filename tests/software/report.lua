-- wrk's numbers on one line: requests, then errors of connecting, reading,
-- writing, of the status, and time-outs.
function done(summary)
   local errors = summary.errors
   print(summary.requests, errors.connect, errors.read, errors.write, errors.status, errors.timeout)
end
