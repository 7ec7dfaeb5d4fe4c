# An echo server on coloop's C ABI, by Ruby's Fiddle: ruby echo.rb LIBRARY DECLARATIONS
#
# It says where it serves, hears 1,000 posts from another thread, and ends when its
# standard input does.

require "fiddle/import"

LIBRARY, DECLARATIONS = ARGV
POSTS = 1000

# All functions of the ABI; the structs that are asked for.
module C
  extend Fiddle::Importer
  dlload LIBRARY
  lines = File.readlines(DECLARATIONS, chomp: true)
  lines.each do |line|
    case line
    when /\Atypedef .*\(\*(\w+)\)\(/ then typealias($1, "void *")
    when /\Atypedef (\w+) (\w+);/ then typealias($2, $1)
    end
  end
  lines.grep(/\A(?!typedef|struct \w+;)[\w* ]+\w\(.*\);\z/).each { |line| extern(line.delete_suffix(";")) }
  STRUCTS = lines.grep(/\Atypedef struct \w+ \{/).to_h do |line|
    line =~ /\Atypedef struct (\w+) \{ (.*) \}/ && [$1, $2]
  end

  # A zeroed struct with its size in it.
  def self.make(name)
    type = struct(STRUCTS.fetch(name).split(";").map { |member| member.strip.gsub(/\bstruct /, "") }.reject(&:empty?))
    type.malloc(Fiddle::RUBY_FREE).tap do |value|
      value.to_ptr[0, type.size] = "\0" * type.size
      value[:size] = type.size
    end
  end
end

def check(code, what)
  raise "#{what}: #{C.loop_last_error.to_s}" if code < 0
  code
end

LOOP = C.loop_new
FAILURES = []
CALLBACKS = [] # what the loop may call must not be collected

# A C function of a block that takes so many arguments. An exception must not leave
# it, since it would jump over the library's frames: it ends the run, which raises it.
def callback(count, result = Fiddle::TYPE_VOID, sizes: [])
  types = (0...count).map { |index| sizes.include?(index) ? Fiddle::TYPE_SIZE_T : Fiddle::TYPE_VOIDP }
  closure = Fiddle::Closure::BlockCaller.new(result, types) do |*arguments|
    yield(*arguments)
  rescue Exception => error
    FAILURES << error
    C.loop_interrupt(LOOP, 1)
    -1
  end
  CALLBACKS << closure
  closure
end

# The protocol: back with what comes, and no faster than it is taken.
protocol = C.make("loop_protocol_t")
protocol[:data_received] = callback(4, sizes: [2]) do |transport, data, length, _|
  check(C.loop_transport_write(transport, data, length), "write")
end
protocol[:pause_writing] = callback(2) { |transport, _| check(C.loop_transport_pause_reading(transport), "pause_reading") }
protocol[:resume_writing] = callback(2) { |transport, _| check(C.loop_transport_resume_reading(transport), "resume_reading") }

factory = callback(5, Fiddle::TYPE_INT) do |_, _, ret_protocol, _, _|
  ret_protocol[0, Fiddle::SIZEOF_VOIDP] = [protocol.to_ptr.to_i].pack("J")
  0
end

# Posts from another thread. Fiddle lets go of Ruby's lock in every call, so the
# thread runs while the loop waits; the callback takes the lock again.
heard = 0
on_post = callback(1) do |number|
  heard += 1
  raise "out of order" unless number.to_i == heard
  puts "#{heard} posts from another thread" if heard == POSTS
end

thread = nil
on_serving = callback(2) do |future, _|
  server = Fiddle::Pointer.malloc(Fiddle::SIZEOF_VOIDP, Fiddle::RUBY_FREE)
  address = Fiddle::Pointer.malloc(128, Fiddle::RUBY_FREE)
  check(C.loop_future_result(future, server), "create_server")
  check(C.loop_server_get_address(server.ptr, 0, address, 128), "get_address")
  puts "serving on 127.0.0.1:#{address[2, 2].unpack1("n")}"
  thread = Thread.new do
    (1..POSTS).each { |number| check(C.loop_call_soon_threadsafe(LOOP, on_post, number, nil, nil), "post") }
  end
end

on_input = callback(1) do
  $stdin.read_nonblock(256)
rescue IO::WaitReadable
  nil
rescue EOFError
  check(C.loop_stop(LOOP), "stop")
end

$stdout.sync = true
host = Fiddle::Pointer["127.0.0.1"]
options = C.make("loop_server_options_t")
options[:host] = host
future = Fiddle::Pointer.malloc(Fiddle::SIZEOF_VOIDP, Fiddle::RUBY_FREE)
check(C.loop_create_server(LOOP, options, factory, nil, nil, future), "create_server")
check(C.loop_future_add_done_callback(future.ptr, on_serving, nil, nil), "add_done_callback")
check(C.loop_add_reader(LOOP, 0, on_input, nil, nil), "add_reader")
check(C.loop_run_forever(LOOP), "run_forever")

thread&.join
C.loop_future_unref(future.ptr)
C.loop_close(LOOP)
C.loop_unref(LOOP)
raise FAILURES.first if FAILURES.any?
