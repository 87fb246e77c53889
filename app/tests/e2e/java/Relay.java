import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/** Stands between a client and the server: cuts connections, swallows answers, counts frames. */
final class Relay implements AutoCloseable {
    private static final int KEEP_ALIVE = 10;
    private static final int RESPONSE = 30;

    final AtomicInteger swallowed = new AtomicInteger();
    final AtomicInteger keepAlives = new AtomicInteger();
    private final AtomicBoolean armed = new AtomicBoolean();
    private final List<Socket> open = new ArrayList<>();
    private final ServerSocket listener;
    private final int server;

    Relay(int server) throws IOException {
        this.server = server;
        listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        background(this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    /** The next Response is taken away, and its connection with it. */
    void swallowNext() {
        armed.set(true);
    }

    /** Cuts all connections. */
    synchronized void cut() {
        open.forEach(Relay::quietly);
        open.clear();
    }

    @Override
    public void close() throws IOException {
        listener.close();
        cut();
    }

    private void accept() throws IOException {
        while (true) {
            Socket client = listener.accept();
            Socket behind = new Socket(InetAddress.getLoopbackAddress(), server);
            client.setTcpNoDelay(true);
            behind.setTcpNoDelay(true);
            synchronized (this) {
                open.add(client);
                open.add(behind);
            }
            background(() -> {
                client.getInputStream().transferTo(behind.getOutputStream());
                end(client, behind);
            });
            background(() -> answers(client, behind));
        }
    }

    private void answers(Socket client, Socket behind) throws IOException {
        DataInputStream from = new DataInputStream(behind.getInputStream());
        DataOutputStream to = new DataOutputStream(client.getOutputStream());
        try {
            while (true) {
                byte[] frame = new byte[from.readInt()];
                from.readFully(frame);
                if (frame[0] == KEEP_ALIVE) {
                    keepAlives.incrementAndGet();
                }
                if (frame[0] == RESPONSE && armed.compareAndSet(true, false)) {
                    swallowed.incrementAndGet();
                    return;
                }
                to.writeInt(frame.length);
                to.write(frame);
                to.flush();
            }
        } finally {
            end(client, behind);
        }
    }

    private static void end(Socket one, Socket other) {
        quietly(one);
        quietly(other);
    }

    private static void quietly(Socket socket) {
        try {
            socket.close();
        } catch (IOException gone) {
            // it is gone either way
        }
    }

    private interface Work {
        void run() throws IOException;
    }

    /** A connection that ends ends its thread. */
    private static void background(Work work) {
        Thread thread = new Thread(() -> {
            try {
                work.run();
            } catch (IOException ended) {
                // so is the thread
            }
        });
        thread.setDaemon(true);
        thread.start();
    }
}
