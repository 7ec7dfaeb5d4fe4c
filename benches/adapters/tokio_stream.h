/* TcpStream, on the runtime of one thread; the server itself is in tokio/. */
void tokio_stream_serve(int listener, int (*received)(size_t length));

static int tokio_received(size_t length) { return stream_received(length); }

static void b_stream_serve(int listener, size_t connections)
{
    (void)connections;
    tokio_stream_serve(listener, tokio_received);
}
